import type { FastifyRequest } from 'fastify'
import type { Cookie } from './cookies.js'
import type { CommonClaims, InvalidReason, Tokens } from './tokens.js'

/** A cookie that carries a token. */
export interface TokenCookie<C extends CommonClaims> {
  readonly cookie: Cookie
  readonly tokens: Tokens<C>
  readonly clock: () => number
  /** A bad cookie was met; it will be cleared. */
  onInvalid: (request: FastifyRequest, cookie: string, reason: InvalidReason) => void
}

/** What the browser sent in it. `now` in milliseconds. */
export function claimsIn<C extends CommonClaims> ({ cookie, tokens, onInvalid }: TokenCookie<C>, request: FastifyRequest, now: number): C | 'absent' | 'invalid' {
  const token = cookie.read(request)
  if (token === undefined) return 'absent'
  const reading = tokens.read(token, now)
  if (reading.kind === 'valid') return reading.claims
  onInvalid(request, cookie.name, reading.reason)
  return 'invalid'
}
