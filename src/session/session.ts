import type { MaybePromise } from '../http/promises.js'
import type { LoginClaims } from '../tokens/claims.js'

/**
 * Where the login of one request lives: in our own cookie, or in the session another plugin has put there. That one writes its
 * cookie itself, so that what is not abstract here is nothing to it.
 */
export abstract class Session {
  /** The login it holds, or `null`; verified, but its user may be gone. */
  abstract readonly login: LoginClaims | null
  /** Where to go after the login, with `nextIn: 'session'`. */
  abstract next: string | undefined
  /** Another state of the login; the values stay. */
  abstract update (login: LoginClaims | null): void
  /** A new session with this login, or none, and of the values those named. */
  abstract startOver (login: LoginClaims | null, keep: readonly string[]): MaybePromise<void>
  /** @throws FST_LOGIN_COOKIE_TOO_LARGE */
  abstract assertFits (login: LoginClaims, keep: readonly string[]): void

  /** The same login as it should be written next, whenever that is. */
  amend (login: LoginClaims): void {
    this.update(login)
  }

  /** Without a session to write, clears its cookie even if this request brought none. */
  clearAnyway (): void {}
  /** Nothing is renewed with this response. */
  holdRenewal (): void {}
  /** Whatever changes, this response leaves the cookie as it is. */
  leaveCookie (): void {}
}
