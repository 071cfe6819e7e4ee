import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SessionCookieOptions } from '../options/options.js'
import type { CommonClaims, InvalidReason, Unsigned } from '../tokens/claims.js'
import type { Reading, Tokens } from '../tokens/tokens.js'
import type { Cookie } from './cookie.js'

/** A cookie that carries a token, for all requests of one registration. */
export interface TokenCookie<C extends CommonClaims> {
  readonly cookie: Cookie
  readonly tokens: Tokens<C>
  readonly clock: () => number
  /** Hears of bad cookies. */
  onInvalid: ((request: FastifyRequest, cookie: string, reason: InvalidReason) => void) | undefined
}

/** What a browser holds in a cookie. */
type Known<C> = { readonly kind: 'absent' } | Reading<C>
type Held<C> = { readonly kind: 'unread' } | Known<C>

const UNREAD = { kind: 'unread' } as const
const ABSENT = { kind: 'absent' } as const

/** What the browser of one request holds in such a cookie: read when somebody asks, and what it was given since. */
export class HeldCookie<C extends CommonClaims> {
  private state: Held<C> = UNREAD
  /** When it was read, in milliseconds: the clock is asked once where nothing is to be written. */
  readAt = 0

  constructor (private readonly kind: TokenCookie<C>, private readonly request: FastifyRequest) {}

  get isRead (): boolean {
    return this.state.kind !== 'unread'
  }

  get known (): Known<C> {
    return this.state.kind === 'unread' ? this.read() : this.state
  }

  get claims (): C | null {
    const { known } = this
    return known.kind === 'valid' ? known.claims : null
  }

  /** Whether a cookie of this name came, whatever it holds. */
  get came (): boolean {
    return this.isRead ? this.known.kind !== 'absent' : this.kind.cookie.read(this.request) !== undefined
  }

  set (reply: FastifyReply, claims: Unsigned<C>, options?: SessionCookieOptions): void {
    const { cookie, tokens } = this.kind
    cookie.set(reply, tokens.sign(claims), options)
    this.state = { kind: 'valid', claims: { ck: cookie.name, ...claims } as C }
  }

  clear (reply: FastifyReply, options?: SessionCookieOptions): void {
    this.kind.cookie.clear(reply, options)
    this.state = ABSENT
  }

  /** As if nobody had asked yet. */
  forget (): void {
    this.state = UNREAD
  }

  private read (): Known<C> {
    const { cookie, tokens, clock } = this.kind
    this.readAt = clock()
    const token = cookie.read(this.request)
    const reading = token === undefined ? ABSENT : tokens.read(token, this.readAt)
    this.state = reading
    if (reading.kind === 'invalid') this.reportInvalid(reading.reason)
    return reading
  }

  /** Listeners may ask the request who it is: only now that it is settled what came. */
  private reportInvalid (reason: InvalidReason): void {
    const { cookie: { name }, onInvalid } = this.kind
    this.request.log.debug({ cookie: name, reason }, 'a cookie held no valid token and is cleared')
    onInvalid?.(this.request, name, reason)
  }
}
