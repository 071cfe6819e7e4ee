import type { FastifyInstance, FastifyRequest, LoginUser } from 'fastify'
import { createCookie } from '../cookies/cookie.js'
import type { RememberSettings } from '../cookies/remember-cookie.js'
import { InvalidOptionsError } from '../errors.js'
import { createEvents } from '../events.js'
import type { Events } from '../events.js'
import { createRedirects } from '../http/next.js'
import type { Redirects } from '../http/next.js'
import type { LoginSettings } from '../options/settings.js'
import { EXTERNAL_IDLE_SECONDS, Records } from '../stores/records.js'
import type { RecordSettings } from '../stores/records.js'
import type { LoginClaims } from '../tokens/claims.js'
import { createDigests } from '../tokens/digests.js'
import type { Comparison } from '../tokens/digests.js'
import { createTokens } from '../tokens/tokens.js'

/** One registration of the plugin in one scope; what its parts share. */
export interface Area {
  readonly settings: LoginSettings
  readonly events: Events
  readonly redirects: Redirects
  readonly remember: RememberSettings
  /** Server-side login records; absent without a `store`. */
  readonly records: Records | undefined
  /** How this user's stamp compares with its digest in a token; `off`: there are no stamps. */
  compareStamp (digest: string | undefined, user: LoginUser): Comparison | 'off'
  /** How this request's fingerprint compares with its digest in a token; `off`: nothing is protected. */
  compareFingerprint (digest: string | undefined, request: FastifyRequest): Comparison | 'off'
  /** The login with digests of this user's stamp and this request's fingerprint, under the first secret. */
  withDigests (login: LoginClaims, user: LoginUser, request: FastifyRequest): LoginClaims
}

export function createArea (fastify: FastifyInstance, settings: LoginSettings): Area {
  const { secrets, audience, clock, userStamp, fingerprint, sessionProtection } = settings
  const { cookieName, cookie, days, maxDays, renew } = settings.remember
  const events = createEvents(fastify.log)
  const stamps = createDigests(secrets, 'stamp')
  const fingerprints = createDigests(secrets, 'fingerprint')
  const stampOf = userStamp && ((user: LoginUser) => text('userStamp', userStamp(user)))
  const fingerprintOf = sessionProtection === false
    ? undefined
    : (request: FastifyRequest) => text('fingerprint', fingerprint(request))

  return {
    settings,
    events,
    redirects: createRedirects({ ...settings, refreshUrl: settings.refreshUrl ?? settings.loginUrl }),
    remember: {
      cookie: createCookie(fastify, cookieName, cookie),
      // Remember cookies are read once in a while: nothing to keep verified.
      tokens: createTokens('remember', { secrets, cookieName, audience, cacheSize: 0, absoluteSeconds: Infinity }),
      days,
      maxDays,
      renew,
      clock,
      onInvalid: (request, cookie, reason) => events.emit('invalidToken', { request, cookie, reason })
    },
    records: settings.store === undefined ? undefined : new Records(settings.store, recordSettings(fastify, settings)),
    compareStamp: (digest, user) => stampOf === undefined ? 'off' : stamps.compare(digest, stampOf(user)),
    compareFingerprint: (digest, request) =>
      fingerprintOf === undefined ? 'off' : fingerprints.compare(digest, fingerprintOf(request)),
    withDigests: ({ uid, sid, auth_time, fresh = false }, user, request) => ({
      uid,
      sid,
      auth_time,
      fresh,
      stamp: stampOf && stamps.digest(stampOf(user)),
      fp: fingerprintOf && fingerprints.digest(fingerprintOf(request))
    })
  }
}

function recordSettings (fastify: FastifyInstance, settings: LoginSettings): RecordSettings {
  const { session, remember } = settings
  return {
    ...settings,
    area: session === 'external' ? remember.cookieName : session.cookieName,
    idleSeconds: session === 'external' ? EXTERNAL_IDLE_SECONDS : session.idleSeconds,
    storeTimeoutSeconds: 5,
    log: fastify.log
  }
}

/** @throws FST_LOGIN_INVALID_OPTIONS: with an answer that is no string nothing can be told */
function text (option: string, value: unknown): string {
  if (typeof value === 'string') return value
  throw new InvalidOptionsError(`${option} must return a string, got ${value === null ? 'null' : typeof value}`)
}
