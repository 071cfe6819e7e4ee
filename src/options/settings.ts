import { isDeepStrictEqual } from 'node:util'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { cookieProblems, fullAttributes } from './cookie-attributes.js'
import type { FullCookieAttributes } from './cookie-attributes.js'
import { InvalidOptionsError, SECRET_COMMAND, SecretTooShortError } from '../errors.js'
import { nearest } from './did-you-mean.js'
import { checkLogin, checkSession, jwtSessionSchema, loginSchema, MINIMAL_SECRET_BYTES } from './rules.js'
import { defined, unknownOption } from './check.js'
import type { FastifyLoginOptions, JwtSessionOptions, LoginSessionOptions, Secret } from './options.js'

/** Fastify's own options of `register`, which reach every plugin. */
const REGISTER_OPTIONS = ['prefix', 'logLevel', 'logSerializers']

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
    ...given.verifiedCacheSize === undefined ? [] : ['verifiedCacheSize'],
    ...given.audience === undefined || given.audience === riding.audience ? [] : ['audience']
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
