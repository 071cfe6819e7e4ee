import type { FastifyRequest } from 'fastify'
import { assertCookieFits } from '../cookies/cookie.js'
import type { TokenCookie } from '../cookies/token-cookie.js'
import { numericDate } from '../tokens/tokens.js'
import type { LoginClaims, SessionClaims } from '../tokens/tokens.js'
import type { SessionCookieOptions } from '../options/options.js'

/** What all sessions of one registration share. */
export interface SessionKit extends TokenCookie<SessionClaims> {
  readonly idleSeconds: number
  readonly absoluteSeconds: number
  /** The application ended the session itself; the login that rides on it ends too. */
  onDrop: ((request: FastifyRequest) => void) | undefined
}

export interface SessionContent {
  readonly login: LoginClaims | null
  readonly next: string | undefined
  readonly data: { readonly [key: string]: unknown }
  /** When the session began, in seconds; `null`: now. */
  readonly born: number | null
}

/** The cookie's value and what it says; JSON leaves out what is undefined. @throws FST_LOGIN_COOKIE_TOO_LARGE */
export function encodeSession (kit: SessionKit, request: FastifyRequest, { login, next, data, born }: SessionContent, attributes?: SessionCookieOptions) {
  const iat = numericDate(kit.clock())
  const claims = {
    uid: login?.uid,
    sid: login?.sid,
    auth_time: login?.auth_time,
    fresh: login?.fresh,
    stamp: login?.stamp,
    fp: login?.fp,
    iat,
    exp: expiry(kit, iat, born ?? iat),
    born: born ?? iat,
    data: Object.keys(data).length === 0 ? undefined : data,
    next
  }
  const token = kit.tokens.sign(claims)
  assertCookieFits(kit.cookie, request, token, attributes, data)
  return { token, claims: { ck: kit.cookie.name, ...claims } }
}

/** When a token of this session ends that is written now. All in seconds. */
export function expiry ({ idleSeconds, absoluteSeconds }: SessionKit, now: number, born: number): number {
  return Math.min(now + idleSeconds, born + absoluteSeconds)
}
