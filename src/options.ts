import { isDeepStrictEqual } from 'node:util'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { InvalidOptionsError, SECRET_COMMAND, SecretTooShortError } from './errors.js'
import { nearest } from './nearest.js'
import { checkerFor, defined, storeMethods, unknownOption } from './schema.js'
import type { SchemaFor } from './schema.js'
import type {
  CookieAttributes, CookiesForOptions, FastifyLoginOptions, GuardAnonymousOptions, GuardFreshOptions, GuardOptions,
  JwtSessionOptions, LoginSessionOptions, LoginUserOptions, LogoutUserOptions, RememberOptions, Secret
} from './types.js'

const MINIMAL_SECRET_BYTES = 32
/** Browsers keep no cookie longer (RFC 6265bis, section 5.5). */
export const MAX_DAYS = 400

/** Fastify's own options of `register`, which reach every plugin. */
const REGISTER_OPTIONS = ['prefix', 'logLevel', 'logSerializers']

const flag = { type: 'boolean', expects: 'true or false' } as const
const fn = { typeof: 'function', expects: 'a function' } as const
const text = { type: 'string', minLength: 1, expects: 'a string that is not empty' } as const
const texts = { type: 'array', items: text, expects: 'a list of strings that are not empty' } as const
const atLeast = (minimum: number) => ({ type: 'integer', minimum, expects: `a whole number of at least ${minimum}` }) as const
const days = { type: 'integer', minimum: 1, maximum: MAX_DAYS, expects: `a whole number of days from 1 to ${MAX_DAYS}` } as const
const cookieName = { type: 'string', pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", expects: 'a cookie name (RFC 6265, section 4.1.1)' } as const
const page = { anyOf: [{ check: 'page' }, { type: 'null' }], expects: 'a path that begins with a single /, an absolute http(s) URL, or null' } as const
const origin = { check: 'origin', expects: 'an absolute http(s) URL' } as const
const secret = { check: 'secret', expects: `a string or Buffer of at least ${MINIMAL_SECRET_BYTES} bytes, or a list of these. Make one with: ${SECRET_COMMAND}` } as const
const message = { anyOf: [{ type: 'string' }, { enum: [false] }, { typeof: 'function' }], expects: 'a text, a function that returns one, or false' } as const

/** One of these values. */
const oneOf = <const V extends readonly unknown[]>(...values: V) =>
  ({ enum: values, expects: `one of ${values.map((value) => JSON.stringify(value)).join(', ')}` })

const cookieAttributes: SchemaFor<CookieAttributes> = {
  domain: { type: 'string', pattern: '^\\.?(?!-)[0-9A-Za-z-]{1,63}(?<!-)(\\.(?!-)[0-9A-Za-z-]{1,63}(?<!-))*$', expects: 'a host name' },
  path: { type: 'string', pattern: '^/[ -:=-~]*$', expects: 'a path that begins with /, in printable ASCII' },
  httpOnly: flag,
  sameSite: oneOf('strict', 'lax', 'none'),
  secure: oneOf(true, false, 'auto'),
  partitioned: flag,
  priority: oneOf('low', 'medium', 'high')
}
const cookie = { type: 'object', additionalProperties: false, properties: cookieAttributes, expects: 'an object with cookie attributes' } as const

const sessionProperties: SchemaFor<LoginSessionOptions> = {
  cookieName,
  cookie,
  idleSeconds: atLeast(1),
  absoluteSeconds: atLeast(1),
  keepOnLogin: texts,
  keepOnLogout: texts
}

const rememberProperties: SchemaFor<RememberOptions> = { cookieName, cookie, days, renew: flag, maxDays: atLeast(1) }

const jwtSessionSchema: SchemaFor<JwtSessionOptions> = {
  secret,
  audience: text,
  cookieName,
  cookie,
  idleSeconds: atLeast(1),
  absoluteSeconds: atLeast(1),
  verifiedCacheSize: atLeast(0),
  clock: fn
}

const loginSchema: SchemaFor<FastifyLoginOptions> = {
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
  session: { type: 'object', additionalProperties: false, properties: sessionProperties, expects: 'an object with session options, or "external"' },
  remember: { type: 'object', additionalProperties: false, properties: rememberProperties, expects: 'an object with remember options' },
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

const checkLogin = checkerFor(loginSchema, { open: true })
const checkSession = checkerFor(jwtSessionSchema, { open: true })

/** Attributes with every default filled in; each is given to `@fastify/cookie` explicitly, or its parseOptions would show through. */
export type FullCookieAttributes = Required<CookieAttributes>

/** Settings of a session cookie. */
export interface SessionSettings {
  secrets: readonly [Buffer, ...Buffer[]]
  audience: string | undefined
  cookieName: string
  cookie: FullCookieAttributes
  idleSeconds: number
  absoluteSeconds: number
  verifiedCacheSize: number
  clock: () => number
}

/** `jwtSession`'s options, checked and with defaults. */
export function sessionSettings (options: JwtSessionOptions, log: FastifyBaseLogger): SessionSettings {
  const given = defined(options)
  const cookieName = given.cookieName ?? 'session'
  const cookie = fullAttributes(given.cookie)
  const wrong = [...checkSession(given), ...unknownNames(given, Object.keys(jwtSessionSchema), log)]
  if (given.secret === undefined) wrong.push(SECRET_MISSING)
  if (wrong.length === 0) wrong.push(...cookieProblems('cookie', cookieName, cookie))
  refuse(wrong)
  return {
    secrets: longEnough(keysOf(given.secret)),
    audience: given.audience,
    cookieName,
    cookie,
    idleSeconds: given.idleSeconds ?? 86_400,
    absoluteSeconds: given.absoluteSeconds ?? 2_592_000,
    verifiedCacheSize: given.verifiedCacheSize ?? 10_000,
    clock: given.clock ?? Date.now
  }
}

const SECRET_MISSING = `secret is missing, and there is no default. Make one with: ${SECRET_COMMAND}`

/** `fastifyLogin`'s options, checked, with defaults, and nothing shared with the caller's objects. */
export type LoginSettings = ReturnType<typeof loginSettings>

/** What the scope has already: the session of `jwtSession`, which the login may ride on. */
export interface Surroundings {
  log: FastifyBaseLogger
  riding: SessionSettings | undefined
}

export function loginSettings (options: FastifyLoginOptions, { log, riding }: Surroundings) {
  const given = defined(options)
  const external = given.session === 'external'
  const session: LoginSessionOptions = external ? {} : { ...given.session as LoginSessionOptions | undefined }
  const remember = { ...given.remember }
  const wrong = [
    ...checkLogin(external ? { ...given, session: undefined } : given),
    ...unknownNames(given, Object.keys(loginSchema), log)
  ]
  if (given.secret === undefined && riding === undefined) wrong.push(SECRET_MISSING)
  if (given.userLoader === undefined && given.requestLoader === undefined) wrong.push('userLoader is missing: give userLoader(id, request), requestLoader(request), or both')
  if (given.maxLogins !== undefined && given.store === undefined) wrong.push('maxLogins needs a store')
  refuse(wrong)
  if (riding !== undefined) refuse(ridingProblems(given, session, riding))

  const cookie = given.cookie ?? {}
  const settings = {
    secrets: given.secret === undefined ? riding!.secrets : keysOf(given.secret),
    audience: given.audience ?? riding?.audience,
    clock: given.clock ?? riding?.clock ?? Date.now,
    session: external
      ? 'external' as const
      : {
          cookieName: riding?.cookieName ?? session.cookieName ?? 'session',
          cookie: riding?.cookie ?? fullAttributes(cookie, session.cookie),
          idleSeconds: riding?.idleSeconds ?? session.idleSeconds ?? 86_400,
          absoluteSeconds: riding?.absoluteSeconds ?? session.absoluteSeconds ?? 2_592_000
        },
    keepOnLogin: [...given.session === 'external' ? [] : session.keepOnLogin ?? []],
    keepOnLogout: [...given.session === 'external' ? [] : session.keepOnLogout ?? []],
    remember: {
      cookieName: remember.cookieName ?? '_remember',
      cookie: fullAttributes(riding?.cookie, cookie, remember.cookie),
      days: remember.days ?? 30,
      renew: remember.renew ?? true,
      maxDays: remember.maxDays ?? 90
    },
    userLoader: given.userLoader,
    requestLoader: given.requestLoader,
    loginUrl: given.loginUrl === undefined ? '/login' : given.loginUrl,
    refreshUrl: given.refreshUrl,
    nextParam: given.nextParam ?? 'next',
    nextIn: given.nextIn ?? 'query',
    allowedOrigins: (given.allowedOrigins ?? []).map((url) => new URL(url).origin),
    publicOrigin: given.publicOrigin === undefined ? undefined : new URL(given.publicOrigin).origin,
    unauthorizedHandler: given.unauthorizedHandler,
    needsRefreshHandler: given.needsRefreshHandler,
    loginMessage: given.loginMessage ?? false,
    refreshMessage: given.refreshMessage ?? false,
    eager: given.loadUser === 'eager',
    userStamp: given.userStamp,
    sessionProtection: given.sessionProtection ?? false,
    fingerprint: given.fingerprint ?? ((request: FastifyRequest) => request.headers['user-agent'] ?? ''),
    noStore: given.noStore ?? true,
    // Itself, not the copy that `defined` makes of plain objects: a store may have state of its own.
    store: options.store,
    storeCheckSeconds: given.storeCheckSeconds ?? 0,
    rememberGraceSeconds: given.rememberGraceSeconds ?? 60,
    maxLogins: given.maxLogins ?? null,
    verifiedCacheSize: given.verifiedCacheSize ?? 10_000
  } satisfies { [key: string]: unknown }
  if (settings.session !== 'external') {
    wrong.push(...cookieProblems('session.cookie', settings.session.cookieName, settings.session.cookie))
    if (settings.session.cookieName === settings.remember.cookieName) wrong.push('session.cookieName and remember.cookieName must differ')
  }
  wrong.push(...cookieProblems('remember.cookie', settings.remember.cookieName, settings.remember.cookie))
  refuse(wrong)
  longEnough(settings.secrets)
  return settings
}

/** What belongs to `jwtSession` where the login rides on it. */
function ridingProblems (given: FastifyLoginOptions, session: LoginSessionOptions, riding: SessionSettings): string[] {
  const theirs = ['cookieName', 'cookie', 'idleSeconds', 'absoluteSeconds'] as const
  const sameSecret = given.secret === undefined || isDeepStrictEqual(keysOf(given.secret), riding.secrets)
  return [
    ...sameSecret ? [] : ['secret'],
    ...theirs.filter((name) => session[name] !== undefined).map((name) => `session.${name}`),
    ...given.verifiedCacheSize === undefined ? [] : ['verifiedCacheSize']
  ].map((name) => `${name} belongs to the jwtSession registered before: set it there, or give this login a secret of its own in a scope of its own`)
}

/** Throws one error that names every problem. */
function refuse (wrong: string[]): void {
  if (wrong.length > 0) throw new InvalidOptionsError(`fastify-login cannot start: ${wrong.join('; ')}`)
}

/** A name like one of ours is a mistake; any other (autoload hands application-wide options to every plugin) is worth one warning. */
function unknownNames (given: object, known: string[], log: FastifyBaseLogger): string[] {
  const unknown = Object.keys(given).filter((name) => !known.includes(name) && !REGISTER_OPTIONS.includes(name))
  const misspelt = unknown.filter((name) => nearest(name, known) !== undefined)
  const foreign = unknown.filter((name) => !misspelt.includes(name))
  if (foreign.length > 0) log.warn({ options: foreign }, 'fastify-login ignores options it does not know')
  return misspelt.map((name) => unknownOption(name, nearest(name, known)))
}

type Keys = readonly [Buffer, ...Buffer[]]

function keysOf (secret: Secret): Keys {
  const list = (Array.isArray(secret) ? secret : [secret]) as ReadonlyArray<string | Buffer>
  return list.map((key) => Buffer.from(key as string)) as [Buffer, ...Buffer[]]
}

/** Said last: whoever reads it has nothing else to mend. @throws FST_LOGIN_SECRET_TOO_SHORT */
function longEnough (keys: Keys): Keys {
  const short = keys.find((key) => key.length < MINIMAL_SECRET_BYTES)
  if (short !== undefined) throw new SecretTooShortError(short.length)
  return keys
}

function fullAttributes (...layers: (CookieAttributes | undefined)[]): FullCookieAttributes {
  const secure = process.env.NODE_ENV === 'production' ? true : 'auto'
  return Object.assign(
    { domain: undefined, path: '/', httpOnly: true, sameSite: 'lax', secure, partitioned: false, priority: undefined },
    ...layers.map((layer) => defined(layer ?? {})))
}

/** What browsers drop (RFC 6265bis, sections 4.1.3 and 5.7; CHIPS for `partitioned`). */
function cookieProblems (path: string, name: string, { secure, sameSite, partitioned, domain, path: cookiePath }: FullCookieAttributes): string[] {
  const lowered = name.toLowerCase()
  const wrong: string[] = []
  const needsSecure = (cause: string) => { if (secure !== true) wrong.push(`${cause} needs ${path}.secure to be true, got ${JSON.stringify(secure)}`) }
  if (lowered.startsWith('__host-') || lowered.startsWith('__secure-')) needsSecure(`the cookie name ${name}`)
  if (sameSite === 'none') needsSecure(`${path}.sameSite "none"`)
  if (partitioned) needsSecure(`${path}.partitioned`)
  if (lowered.startsWith('__host-') && domain !== undefined) wrong.push(`the cookie name ${name} allows no ${path}.domain`)
  if (lowered.startsWith('__host-') && cookiePath !== '/') wrong.push(`the cookie name ${name} needs ${path}.path to be "/", got ${JSON.stringify(cookiePath)}`)
  return wrong
}
