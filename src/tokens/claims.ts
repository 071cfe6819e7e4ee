/** What identifies a user: comes back to `userLoader` with the type it had. `0` is fine, `''` is refused. */
export type UserId = string | number

/** The login inside a token. `auth_time` in seconds since 1970 (OpenID Connect Core, section 2). */
export interface LoginClaims {
  readonly uid: UserId
  readonly sid: string
  readonly auth_time: number
  readonly fresh?: boolean | undefined
  /** Keyed digest of `userStamp(user)`. */
  readonly stamp?: string | undefined
  /** Keyed digest of `fingerprint(request)`. */
  readonly fp?: string | undefined
}

/** What names a login. */
export type LoginId = Pick<LoginClaims, 'uid' | 'sid'>

/** What every token carries: the cookie it counts in, and its times in seconds since 1970 (RFC 7519, section 4.1). */
export interface CommonClaims {
  readonly ck: string
  readonly aud?: string
  readonly iat: number
  readonly exp: number
  /** When the session, or the login, began; the absolute limit counts from it and it never moves. */
  readonly born: number
}

/** With a login, all of its claims that must be there; without one, none. */
type MaybeLoginClaims = { readonly [K in keyof LoginClaims]?: LoginClaims[K] | undefined }

export interface SessionClaims extends CommonClaims, MaybeLoginClaims {
  /** The application's values; one level down, so that a key named `exp` is just a key. */
  readonly data?: { readonly [key: string]: unknown } | undefined
  /** Where to go after the login, with `nextIn: 'session'`. */
  readonly next?: string | undefined
}

export interface RememberClaims extends CommonClaims, Omit<LoginClaims, 'fresh' | 'fp'> {
  readonly days: number
  /** Single-use token, with a store. */
  readonly tok?: string | undefined
}

/** What a token says before it is signed: whose cookie it is for, the signer knows. */
export type Unsigned<C extends CommonClaims> = Omit<C, 'ck' | 'aud'>

/** Why a token was not accepted; never what it said. */
export type InvalidReason = 'malformed' | 'signature' | 'algorithm' | 'type' | 'claims' | 'expired'

export const DAY_SECONDS = 86_400

/** A moment as tokens name it: milliseconds in, whole seconds out (RFC 7519, section 2). */
export function numericDate (milliseconds: number): number {
  return Math.floor(milliseconds / 1000)
}
