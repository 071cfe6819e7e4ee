import type { FastifyReply, FastifyRequest } from 'fastify'
import { readTokenCookie, tellInvalid } from './token-cookie.js'
import type { TokenCookie } from './token-cookie.js'
import { numericDate } from '../tokens/tokens.js'
import type { LoginClaims, RememberClaims } from '../tokens/tokens.js'

/** What all remember cookies of one area share. */
export interface RememberKit extends TokenCookie<RememberClaims> {
  readonly days: number
  readonly maxDays: number
  readonly renew: boolean
}

/** What a remember cookie says, before it is signed. */
export type Remembering = Omit<RememberClaims, 'ck' | 'aud'>

const DAY_SECONDS = 86_400

/** The remember cookie of one request: read when asked for, written once. */
export class Remember {
  private cookie: 'unread' | 'absent' | 'invalid' | 'valid' = 'unread'
  private held: Remembering | null = null
  /** What goes out: a cookie, its end, its end even if none came, or nothing. */
  private pending: Remembering | 'clear' | 'clearAlways' | null = null

  constructor (private readonly kit: RememberKit, private readonly request: FastifyRequest) {}

  /** What is remembered: what goes out with this response, else what came and verified. */
  get claims (): Remembering | null {
    if (this.pending !== null) return typeof this.pending === 'string' ? null : this.pending
    if (this.cookie === 'unread') this.read()
    return this.held
  }

  /** Goes out with this response. */
  write (claims: Remembering): void {
    this.pending = claims
  }

  /** Goes on remembering; `tok` replaces the single-use token. */
  renew (claims: Remembering, stamp: string | undefined, tok: string | undefined): void {
    const renewed = this.renewed(claims)
    this.pending = { ...renewed, stamp: stamp ?? renewed.stamp, tok: tok ?? renewed.tok }
  }

  /** The same claims with their full lifetime again, as far as `maxDays` lets it and unless `renew` is off. */
  renewed (claims: Remembering): Remembering {
    const iat = numericDate(this.kit.clock())
    if (!this.kit.renew) return { ...claims, iat }
    const limit = claims.born + Math.max(this.kit.maxDays, claims.days) * DAY_SECONDS
    return { ...claims, iat, exp: Math.max(claims.exp, Math.min(iat + claims.days * DAY_SECONDS, limit)) }
  }

  /** Clears the cookie; `always`: also where none came, as one on another path does not come with every request. */
  clear (always = false): void {
    this.pending = always ? 'clearAlways' : 'clear'
  }

  discard (): void {
    this.pending = null
    this.held = null
    this.cookie = 'absent'
  }

  commit (reply: FastifyReply): void {
    if (this.pending === 'clear' && this.cookie === 'unread') {
      this.cookie = this.kit.cookie.read(this.request) === undefined ? 'absent' : 'invalid'
    }
    if (this.pending !== null && typeof this.pending !== 'string') {
      this.kit.cookie.set(reply, this.kit.tokens.sign(this.pending), { maxAge: this.pending.exp - numericDate(this.kit.clock()) })
      this.held = this.pending
      this.cookie = 'valid'
    } else if (this.pending === 'clearAlways' || this.cookie === 'invalid' || (this.pending === 'clear' && this.cookie !== 'absent')) {
      this.kit.cookie.clear(reply)
      this.held = null
      this.cookie = 'absent'
    }
    this.pending = null
  }

  private read (): void {
    const reading = readTokenCookie(this.kit, this.request, this.kit.clock())
    this.cookie = reading.kind
    if (reading.kind === 'valid') this.held = reading.claims
    if (reading.kind === 'invalid') tellInvalid(this.kit, this.request, reading.reason)
  }
}

/** Claims of a remember cookie for a login made now. */
export function beginRemembering (kit: Pick<RememberKit, 'clock'>, login: LoginClaims, days: number, tok: string | undefined): Remembering {
  const iat = numericDate(kit.clock())
  const { uid, sid, auth_time, stamp } = login
  return { uid, sid, days, iat, exp: iat + days * DAY_SECONDS, born: iat, auth_time, stamp, tok }
}
