import { InvalidOptionsError, SECRET_COMMAND } from '../errors.js'
import { checkerFor, storeMethods } from './check.js'
import type { SchemaFor } from './check.js'
import type {
  CookiesForOptions, GuardAnonymousOptions, GuardFreshOptions, GuardOptions, LoginUserOptions, LogoutUserOptions
} from './arguments.js'
import type {
  CookieAttributes, FastifyLoginOptions, JwtSessionOptions, LoginSessionOptions, RememberOptions
} from './options.js'

/** As long as the digest of HS256 (RFC 7518, section 3.2). */
export const MINIMAL_SECRET_BYTES = 32
/** Browsers keep no cookie longer (RFC 6265bis, section 5.5). */
export const MAX_DAYS = 400

const flag = { type: 'boolean', expects: 'true or false' } as const
const fn = { typeof: 'function', expects: 'a function' } as const
const text = { type: 'string', minLength: 1, expects: 'a string that is not empty' } as const
const texts = { type: 'array', items: text, expects: 'a list of strings that are not empty' } as const
const atLeast = (minimum: number) =>
  ({ type: 'integer', minimum, expects: `a whole number of at least ${minimum}` }) as const
const days = {
  type: 'integer', minimum: 1, maximum: MAX_DAYS, expects: `a whole number of days from 1 to ${MAX_DAYS}`
} as const
const cookieName = {
  type: 'string', pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", expects: 'a cookie name (RFC 6265, section 4.1.1)'
} as const
const page = {
  anyOf: [{ check: 'page' }, { type: 'null' }],
  expects: 'a path that begins with a single /, an absolute http(s) URL, or null'
} as const
const origin = { check: 'origin', expects: 'an absolute http(s) URL' } as const
const secret = {
  check: 'secret',
  expects: `a string or Buffer of at least ${MINIMAL_SECRET_BYTES} bytes, or a list of these. ` +
    `Make one with: ${SECRET_COMMAND}`
} as const
const message = {
  anyOf: [{ type: 'string' }, { enum: [false] }, { typeof: 'function' }],
  expects: 'a text, a function that returns one, or false'
} as const

/** An object with these keys and no others. */
const objectOf = <P>(properties: P, expects: string) =>
  ({ type: 'object', additionalProperties: false, properties, expects }) as const

/** One of these values. */
const oneOf = <const V extends readonly unknown[]>(...values: V) =>
  ({ enum: values, expects: `one of ${values.map((value) => JSON.stringify(value)).join(', ')}` })

const cookieAttributes: SchemaFor<CookieAttributes> = {
  domain: {
    type: 'string',
    pattern: '^\\.?(?!-)[0-9A-Za-z-]{1,63}(?<!-)(\\.(?!-)[0-9A-Za-z-]{1,63}(?<!-))*$',
    expects: 'a host name'
  },
  path: { type: 'string', pattern: '^/[ -:=-~]*$', expects: 'a path that begins with /, in printable ASCII' },
  httpOnly: flag,
  sameSite: oneOf('strict', 'lax', 'none'),
  secure: oneOf(true, false, 'auto'),
  partitioned: flag,
  priority: oneOf('low', 'medium', 'high')
}
const cookie = objectOf(cookieAttributes, 'an object with cookie attributes')

const sessionProperties: SchemaFor<LoginSessionOptions> = {
  cookieName,
  cookie,
  idleSeconds: atLeast(1),
  absoluteSeconds: atLeast(1),
  keepOnLogin: texts,
  keepOnLogout: texts
}

const rememberProperties: SchemaFor<RememberOptions> = { cookieName, cookie, days, renew: flag, maxDays: atLeast(1) }

export const jwtSessionSchema: SchemaFor<JwtSessionOptions> = {
  secret,
  audience: text,
  cookieName,
  cookie,
  idleSeconds: atLeast(1),
  absoluteSeconds: atLeast(1),
  verifiedCacheSize: atLeast(0),
  clock: fn
}

export const loginSchema: SchemaFor<FastifyLoginOptions> = {
  secret,
  userLoader: fn,
  requestLoader: fn,
  loginUrl: page,
  refreshUrl: page,
  nextParam: text,
  nextIn: oneOf('query', 'session'),
  allowedOrigins: { type: 'array', items: origin, expects: 'a list of absolute http(s) URLs' },
  publicOrigin: origin,
  unauthorizedHandler: fn,
  needsRefreshHandler: fn,
  loginMessage: message,
  refreshMessage: message,
  audience: text,
  cookie,
  session: objectOf(sessionProperties, 'an object with session options, or "external"'),
  remember: objectOf(rememberProperties, 'an object with remember options'),
  loadUser: oneOf('lazy', 'eager'),
  userStamp: fn,
  sessionProtection: oneOf(false, 'basic', 'strong'),
  fingerprint: fn,
  noStore: flag,
  store: { check: 'store', expects: `a store with the methods ${storeMethods.join(', ')}` },
  storeCheckSeconds: atLeast(0),
  rememberGraceSeconds: atLeast(0),
  maxLogins: atLeast(1),
  verifiedCacheSize: atLeast(0),
  clock: fn
}

const guardSchema: SchemaFor<GuardOptions> = {
  loginUrl: page, allow: fn, noStore: flag, redirect: oneOf('auto', 'always', 'never')
}

/** Checks of call arguments: a misspelt `maxAgeSeconds` must not become a guard without a limit. */
const argumentCheckers = {
  guard: checkerFor<GuardOptions>(guardSchema),
  guardFresh: checkerFor<GuardFreshOptions>({ ...guardSchema, maxAgeSeconds: atLeast(0), refreshUrl: page }),
  guardAnonymous: checkerFor<GuardAnonymousOptions>({ redirectUrl: text }),
  // remember has an error of its own, next may be anything
  loginUser: checkerFor<Omit<LoginUserOptions, 'next' | 'remember'>>({
    redirectUrl: { anyOf: [text, { enum: [false] }], expects: 'a URL, or false' },
    fresh: flag,
    force: flag,
    redirectStatus: oneOf(301, 302, 303, 307, 308)
  }),
  logoutUser: checkerFor<LogoutUserOptions>({ scope: oneOf('this', 'others', 'everywhere') }),
  revokeAll: checkerFor<{ except?: string | undefined }>({ except: text }),
  cookiesFor: checkerFor<Omit<CookiesForOptions, 'remember'>>({
    fresh: flag,
    authTime: atLeast(0),
    data: { type: 'object', expects: 'an object with session values' },
    headers: { type: 'object', expects: 'an object with request headers' }
  })
}

/** @throws FST_LOGIN_INVALID_OPTIONS that names each wrong argument of the call */
export function checkArguments (call: keyof typeof argumentCheckers, options: object): void {
  const wrong = argumentCheckers[call](options)
  if (wrong.length > 0) throw new InvalidOptionsError(`${call}(): ${wrong.join('; ')}`)
}

export const checkLogin = checkerFor(loginSchema, { open: true })
export const checkSession = checkerFor(jwtSessionSchema, { open: true })
