import type { FastifyReply, FastifyRequest, LoginUser } from 'fastify'
import type { CurrentUser } from '../visit/visit.js'
import type { Events } from '../events.js'
import type { LoginSettings } from '../options/settings.js'
import type { Records } from '../stores/records.js'
import type { RememberKit } from '../cookies/remember-cookie.js'
import type { LoginClaims } from '../tokens/tokens.js'
import type { MaybePromise } from '../options/options.js'

/** Where the login state of one request lives: our own session, or one another plugin has put there. */
export interface Carrier {
  /** The login it carries, or `null`. */
  readonly login: LoginClaims | null
  /** Where to go after the login, with `nextIn: 'session'`. */
  next: string | undefined
  /** Another state of the login; the values stay. */
  update (login: LoginClaims | null): void
  /** The same login as it should be written next, whenever that is. */
  refresh (login: LoginClaims): void
  /** A new session with this login, or none, and of the values those named. */
  begin (login: LoginClaims | null, keep: readonly string[]): MaybePromise<void>
  /** Without a session to write, clears its cookie even if this request brought none. */
  clearAnyway (): void
  /** @throws FST_LOGIN_COOKIE_TOO_LARGE */
  assertFits (login: LoginClaims, keep: readonly string[]): void
  /** Nothing is renewed with this response. */
  holdRenewal (): void
}

/** One registration of the plugin in one scope; what its parts share. */
export interface Area {
  readonly settings: LoginSettings
  readonly events: Events
  readonly remember: RememberKit
  /** Server-side login records; absent without a `store`. */
  readonly records: Records | undefined
  /** How this user's stamp compares with its digest in a token. */
  compareStamp (digest: string | undefined, user: LoginUser): Comparison
  /** How this request's fingerprint compares with its digest in a token. */
  compareFingerprint (digest: string | undefined, request: FastifyRequest): Comparison
  /** The login with digests of this user's stamp and this request's fingerprint, under the first secret. */
  sealed (login: LoginClaims, user: LoginUser, request: FastifyRequest): LoginClaims
  currentUser (request: FastifyRequest): CurrentUser
  carrier (request: FastifyRequest): Carrier
  /** The reply of this request, where it is known. */
  replyOf (request: FastifyRequest): FastifyReply | null
}

/** How a value of now compares with its digest in a token. `off`: nothing to compare. */
export type Comparison = 'off' | 'current' | 'old' | 'changed'
