import type { FastifyRequest } from 'fastify'
import type { Cookie } from './cookie.js'
import type { CommonClaims, InvalidReason, Reading, Tokens } from '../tokens/tokens.js'

/** A cookie that carries a token. */
export interface TokenCookie<C extends CommonClaims> {
  readonly cookie: Cookie
  readonly tokens: Tokens<C>
  readonly clock: () => number
  /** Hears of bad cookies. */
  onInvalid: ((request: FastifyRequest, cookie: string, reason: InvalidReason) => void) | undefined
}

/** What the browser sent in it. `now` in milliseconds. */
export function readTokenCookie<C extends CommonClaims> ({ cookie, tokens }: TokenCookie<C>, request: FastifyRequest, now: number): Reading<C> | { readonly kind: 'absent' } {
  const token = cookie.read(request)
  return token === undefined ? { kind: 'absent' } : tokens.read(token, now)
}

/** A bad cookie was met, which will be cleared. Listeners may ask the request who it is: to be called once that is settled. */
export function tellInvalid<C extends CommonClaims> ({ cookie: { name }, onInvalid }: TokenCookie<C>, request: FastifyRequest, reason: InvalidReason): void {
  request.log.debug({ cookie: name, reason }, 'a cookie held no valid token and is cleared')
  onInvalid?.(request, name, reason)
}
