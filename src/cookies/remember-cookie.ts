import type { FastifyReply, FastifyRequest } from 'fastify'
import { DAY_SECONDS, numericDate } from '../tokens/claims.js'
import type { LoginClaims, RememberClaims, Unsigned } from '../tokens/claims.js'
import { HeldCookie } from './token-cookie.js'
import type { TokenCookie } from './token-cookie.js'

/** What all remember cookies of one area share. */
export interface RememberSettings extends TokenCookie<RememberClaims> {
  readonly days: number
  readonly maxDays: number
  readonly renew: boolean
}

/** What a remember cookie says, before it is signed. */
export type RememberedLogin = Unsigned<RememberClaims>

/** What goes out. `anyway`: also where no cookie came, as one on another path does not come with every request. */
type Outgoing = { kind: 'nothing' } | { kind: 'token', claims: RememberedLogin } | { kind: 'end', anyway: boolean }

const NOTHING: Outgoing = { kind: 'nothing' }

/** The remember cookie of one request: read when asked for, written once. */
export class RememberCookie {
  private readonly held: HeldCookie<RememberClaims>
  private outgoing: Outgoing = NOTHING

  constructor (private readonly settings: RememberSettings, request: FastifyRequest) {
    this.held = new HeldCookie(settings, request)
  }

  /** What is remembered: what goes out with this response, else what came and verified. */
  get claims (): RememberedLogin | null {
    switch (this.outgoing.kind) {
      case 'token': return this.outgoing.claims
      case 'end': return null
      default: return this.held.claims
    }
  }

  /** Goes out with this response. */
  write (claims: RememberedLogin): void {
    this.outgoing = { kind: 'token', claims }
  }

  /** Goes on remembering; `tok` replaces the single-use token. */
  renew (claims: RememberedLogin, stamp: string | undefined, tok: string | undefined): void {
    const renewed = withFullLifetime(this.settings, claims)
    this.write({ ...renewed, stamp: stamp ?? renewed.stamp, tok: tok ?? renewed.tok })
  }

  /** Nobody is remembered here from now on. */
  end ({ anyway = false } = {}): void {
    this.outgoing = { kind: 'end', anyway }
  }

  /** Forgets every change; for a response that must leave the cookie as it is. */
  discard (): void {
    this.outgoing = NOTHING
    this.held.forget()
  }

  /** Writes or clears the cookie, if that is called for. Safe to call again. */
  commit (reply: FastifyReply): void {
    const { outgoing, held } = this
    this.outgoing = NOTHING
    switch (outgoing.kind) {
      case 'token': {
        const maxAge = outgoing.claims.exp - numericDate(this.settings.clock())
        return held.set(reply, outgoing.claims, { maxAge })
      }
      case 'end': return outgoing.anyway || held.came ? held.clear(reply) : undefined
      default: if (held.isRead && held.known.kind === 'invalid') held.clear(reply)
    }
  }
}

/** The remember cookie of a login made now. */
export function rememberLogin (
  { clock }: RememberSettings, { uid, sid, auth_time, stamp }: LoginClaims, days: number, tok: string | undefined
): RememberedLogin {
  const iat = numericDate(clock())
  return { uid, sid, auth_time, stamp, tok, days, iat, exp: iat + days * DAY_SECONDS, born: iat }
}

/** The same claims with their full lifetime again, as far as `maxDays` lets it and unless `renew` is off. */
export function withFullLifetime (settings: RememberSettings, claims: RememberedLogin): RememberedLogin {
  const { clock, renew, maxDays } = settings
  const iat = numericDate(clock())
  if (!renew) return { ...claims, iat }
  const limit = claims.born + Math.max(maxDays, claims.days) * DAY_SECONDS
  return { ...claims, iat, exp: Math.max(claims.exp, Math.min(iat + claims.days * DAY_SECONDS, limit)) }
}
