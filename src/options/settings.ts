import { isDeepStrictEqual } from 'node:util'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { InvalidOptionsError, SECRET_COMMAND, SecretTooShortError } from '../errors.js'
import { defined, unknownOption } from './check.js'
import { cookieProblems, fullAttributes } from './cookie-attributes.js'
import type { FullCookieAttributes } from './cookie-attributes.js'
import { nearest } from './did-you-mean.js'
import type { FastifyLoginOptions, JwtSessionOptions, LoginSessionOptions, Secret } from './options.js'
import { checkLogin, checkSession, jwtSessionSchema, loginSchema, MINIMAL_SECRET_BYTES } from './rules.js'

/** Fastify's own options of `register`, which reach every plugin. */
const REGISTER_OPTIONS = ['prefix', 'logLevel', 'logSerializers']
const SECRET_MISSING = `secret is missing, and there is no default. Make one with: ${SECRET_COMMAND}`

type Keys = readonly [Buffer, ...Buffer[]]

/** Settings of a session cookie. */
export interface SessionSettings {
  secrets: Keys
  audience: string | undefined
  cookieName: string
  cookie: FullCookieAttributes
  idleSeconds: number
  absoluteSeconds: number
  verifiedCacheSize: number
  clock: () => number
}

/** `jwtSession`'s options, checked and with defaults. */
export function jwtSessionSettings (options: JwtSessionOptions, log: FastifyBaseLogger): SessionSettings {
  const given = defined(options)
  const wrong = [...checkSession(given), ...unknownNames(given, Object.keys(jwtSessionSchema), log)]
  if (given.secret === undefined) wrong.push(SECRET_MISSING)
  refuse(wrong)
  const settings = sessionSettings(given, fullAttributes(given.cookie))
  refuse(cookieProblems('cookie', settings.cookieName, settings.cookie))
  assertLongEnough(settings.secrets)
  return settings
}

/** The defaults of a session, whichever door it comes in by. */
function sessionSettings (given: Omit<JwtSessionOptions, 'cookie'>, cookie: FullCookieAttributes): SessionSettings {
  return {
    secrets: keysOf(given.secret),
    audience: given.audience,
    cookieName: given.cookieName ?? 'session',
    cookie,
    idleSeconds: given.idleSeconds ?? 86_400,
    absoluteSeconds: given.absoluteSeconds ?? 2_592_000,
    verifiedCacheSize: given.verifiedCacheSize ?? 10_000,
    clock: given.clock ?? Date.now
  }
}

/** `fastifyLogin`'s options, checked, with defaults, and nothing shared with the caller's objects. */
export type LoginSettings = ReturnType<typeof loginSettings>

/** What the scope has already: the session of `jwtSession`, which the login may ride on. */
export interface Surroundings {
  log: FastifyBaseLogger
  riding: SessionSettings | undefined
}

export function loginSettings (options: FastifyLoginOptions, { log, riding }: Surroundings) {
  const given = defined(options)
  refuse(loginProblems(given, riding, log))
  const ownSession: LoginSessionOptions = given.session === 'external' ? {} : given.session ?? {}
  if (riding !== undefined) refuse(ridingProblems(given, ownSession, riding))

  const { secret, audience, clock, verifiedCacheSize, cookie } = given
  const session = riding ?? sessionSettings(
    { ...ownSession, secret: secret!, audience, clock, verifiedCacheSize }, fullAttributes(cookie, ownSession.cookie))
  const settings = {
    secrets: session.secrets,
    audience: session.audience,
    clock: clock ?? session.clock,
    session: given.session === 'external' ? 'external' as const : session,
    keepOnLogin: [...ownSession.keepOnLogin ?? []],
    keepOnLogout: [...ownSession.keepOnLogout ?? []],
    remember: {
      cookieName: given.remember?.cookieName ?? '_remember',
      cookie: fullAttributes(riding?.cookie, cookie, given.remember?.cookie),
      days: given.remember?.days ?? 30,
      renew: given.remember?.renew ?? true,
      maxDays: given.remember?.maxDays ?? 90
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
    maxLogins: given.maxLogins ?? null
  }
  refuse(loginCookieProblems(settings))
  assertLongEnough(settings.secrets)
  return settings
}

function loginProblems (
  given: FastifyLoginOptions, riding: SessionSettings | undefined, log: FastifyBaseLogger
): string[] {
  const wrong = [
    ...checkLogin(given.session === 'external' ? { ...given, session: undefined } : given),
    ...unknownNames(given, Object.keys(loginSchema), log)
  ]
  if (given.secret === undefined && riding === undefined) wrong.push(SECRET_MISSING)
  if (given.userLoader === undefined && given.requestLoader === undefined) {
    wrong.push('userLoader is missing: give userLoader(id, request), requestLoader(request), or both')
  }
  if (given.maxLogins !== undefined && given.store === undefined) wrong.push('maxLogins needs a store')
  return wrong
}

function loginCookieProblems ({ session, remember }: {
  session: SessionSettings | 'external', remember: Pick<SessionSettings, 'cookieName' | 'cookie'>
}): string[] {
  const wrong = cookieProblems('remember.cookie', remember.cookieName, remember.cookie)
  if (session === 'external') return wrong
  if (session.cookieName === remember.cookieName) wrong.push('session.cookieName and remember.cookieName must differ')
  return [...cookieProblems('session.cookie', session.cookieName, session.cookie), ...wrong]
}

/** What belongs to `jwtSession` where the login rides on it. */
function ridingProblems (given: FastifyLoginOptions, session: LoginSessionOptions, riding: SessionSettings): string[] {
  const theirs = ['cookieName', 'cookie', 'idleSeconds', 'absoluteSeconds'] as const
  const sameSecret = given.secret === undefined || isDeepStrictEqual(keysOf(given.secret), riding.secrets)
  return [
    ...sameSecret ? [] : ['secret'],
    ...theirs.filter((name) => session[name] !== undefined).map((name) => `session.${name}`),
    ...given.verifiedCacheSize === undefined ? [] : ['verifiedCacheSize'],
    ...given.audience === undefined || given.audience === riding.audience ? [] : ['audience']
  ].map((name) => `${name} belongs to the jwtSession registered before: set it there, ` +
    'or give this login a secret of its own in a scope of its own')
}

/** Throws one error that names every problem. */
function refuse (wrong: string[]): void {
  if (wrong.length > 0) throw new InvalidOptionsError(`fastify-login cannot start: ${wrong.join('; ')}`)
}

/** A name like one of ours is a mistake; any other is worth one warning: autoload hands application-wide options to everybody. */
function unknownNames (given: object, known: string[], log: FastifyBaseLogger): string[] {
  const unknown = Object.keys(given).filter((name) => !known.includes(name) && !REGISTER_OPTIONS.includes(name))
  const misspelt = unknown.filter((name) => nearest(name, known) !== undefined)
  const foreign = unknown.filter((name) => !misspelt.includes(name))
  if (foreign.length > 0) log.warn({ options: foreign }, 'fastify-login ignores options it does not know')
  return misspelt.map((name) => unknownOption(name, nearest(name, known)))
}

function keysOf (secret: Secret): Keys {
  const list = (Array.isArray(secret) ? secret : [secret]) as ReadonlyArray<string | Buffer>
  return list.map((key) => Buffer.from(key as string)) as [Buffer, ...Buffer[]]
}

/** Said last: whoever reads it has nothing else to mend. @throws FST_LOGIN_SECRET_TOO_SHORT */
function assertLongEnough (keys: Keys): void {
  const short = keys.find((key) => key.length < MINIMAL_SECRET_BYTES)
  if (short !== undefined) throw new SecretTooShortError(MINIMAL_SECRET_BYTES, short.length)
}
