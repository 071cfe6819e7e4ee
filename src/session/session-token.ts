import type { TokenCookie } from '../cookies/token-cookie.js'
import { numericDate } from '../tokens/claims.js'
import type { LoginClaims, SessionClaims, Unsigned } from '../tokens/claims.js'
import type { PlainValues } from './values.js'

/** What all sessions of one registration share. */
export interface SessionCookie extends TokenCookie<SessionClaims> {
  readonly idleSeconds: number
  readonly absoluteSeconds: number
}

/** What a session holds, before it is a token. */
export interface SessionContent {
  readonly login: LoginClaims | null
  readonly next: string | undefined
  readonly data: PlainValues
  /** When the session began, in seconds; `null`: now. */
  readonly born: number | null
}

/** What the token says of a session that is written now; JSON leaves out what is undefined. */
export function sessionClaims (cookie: SessionCookie, content: SessionContent): Unsigned<SessionClaims> {
  const { login, next, data, born } = content
  const iat = numericDate(cookie.clock())
  return {
    uid: login?.uid,
    sid: login?.sid,
    auth_time: login?.auth_time,
    fresh: login?.fresh,
    stamp: login?.stamp,
    fp: login?.fp,
    iat,
    exp: expiry(cookie, iat, born ?? iat),
    born: born ?? iat,
    data: Object.keys(data).length === 0 ? undefined : data,
    next
  }
}

/** When a token of this session ends that is written now. All in seconds. */
export function expiry ({ idleSeconds, absoluteSeconds }: SessionCookie, now: number, born: number): number {
  return Math.min(now + idleSeconds, born + absoluteSeconds)
}
