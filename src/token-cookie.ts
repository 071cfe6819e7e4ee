import type { FastifyRequest } from 'fastify'
import type { Cookie } from './cookies.js'
import type { CommonClaims, InvalidReason, Reading, Tokens } from './tokens.js'

/** A cookie that carries a token. */
export interface TokenCookie<C extends CommonClaims> {
  readonly cookie: Cookie
  readonly tokens: Tokens<C>
  readonly clock: () => number
  /** A bad cookie was met; it will be cleared. Listeners may ask the request who it is: to be called once that is settled. */
  onInvalid: (request: FastifyRequest, cookie: string, reason: InvalidReason) => void
}

/** What the browser sent in it. `now` in milliseconds. */
export function readTokenCookie<C extends CommonClaims> ({ cookie, tokens }: TokenCookie<C>, request: FastifyRequest, now: number): Reading<C> | { readonly kind: 'absent' } {
  const token = cookie.read(request)
  return token === undefined ? { kind: 'absent' } : tokens.read(token, now)
}
