import type { FastifyReply, FastifyRequest } from 'fastify'
import { isHandshake } from '../http/headers.js'
import { encodeSession, expiry } from './session-token.js'
import type { SessionKit } from './session-token.js'
import { plain, valuesFrom } from './values.js'
import type { Values } from './values.js'
import { readTokenCookie, tellInvalid } from '../cookies/token-cookie.js'
import { numericDate } from '../tokens/tokens.js'
import type { LoginClaims, SessionClaims } from '../tokens/tokens.js'
import type { SessionCookieOptions } from '../options/options.js'

/**
 * The session of one request. Nothing is read before somebody asks, and the cookie is written once, in `commit`, if something
 * changed. Values are copied when first touched: verified claims are shared between requests and never handed out.
 */
export class Session {
  private cookie: 'unread' | 'absent' | 'invalid' | 'valid' = 'unread'
  /** What the browser holds. */
  private claims: SessionClaims | null = null
  private currentLogin: LoginClaims | null = null
  private currentNext: string | undefined = undefined
  /** When the session began, in seconds; `null`: with the response. */
  private born: number | null = null
  private values: Values | null = null
  /** The values as JSON when they were opened: only a comparison sees changes in place. */
  private valuesBefore = '{}'
  /** Something besides the values changed. */
  private dirty = false
  /** `clear`: a cookie goes out even if this request brought none; `renew`: even if nothing changed. */
  private insists: 'clear' | 'renew' | null = null
  private renewable = true
  /** When the cookie was read, in milliseconds: the clock is asked once where no renewal is due. */
  private readAt = 0
  private attributes: SessionCookieOptions | undefined = undefined
  /** The session was deleted, and nothing set since. */
  deleted = false

  constructor (private readonly kit: SessionKit, private readonly request: FastifyRequest) {}

  /** The login this session carries, or `null`; verified, but its user may be gone. */
  get login (): LoginClaims | null {
    if (this.cookie === 'unread') this.read()
    return this.currentLogin
  }

  /** Where to go after the login, with `nextIn: 'session'`. */
  get next (): string | undefined {
    if (this.cookie === 'unread') this.read()
    return this.currentNext
  }

  /** A target that does not fit beside the values is left out: where people end up matters less than what they have. */
  set next (target: string | undefined) {
    const kept = target !== undefined && this.fits(target) ? target : undefined
    if (kept === this.next) return
    this.currentNext = kept
    this.dirty = true
  }

  /** Another state of the login in the same session. */
  update (login: LoginClaims | null): void {
    this.currentLogin = login
    this.dirty = true
  }

  /** Goes out with the next write, and does not ask for one. */
  refresh (login: LoginClaims): void {
    this.currentLogin = login
  }

  /** A new session with this login, or none, and of the values those named. */
  begin (login: LoginClaims | null, keep: readonly string[]): void {
    const values = this.open()
    for (const key of values.keys()) if (!keep.includes(key)) values.delete(key)
    this.currentLogin = login
    this.currentNext = undefined
    this.born = null
    this.dirty = true
    this.deleted = false
  }

  /** The values, opened for reading and writing. */
  open (): Values {
    if (this.values !== null) return this.values
    if (this.cookie === 'unread') this.read()
    this.valuesBefore = JSON.stringify(this.claims?.data ?? {})
    return (this.values = valuesFrom(this.valuesBefore))
  }

  set (key: string, value: unknown): void {
    const values = this.open()
    if (value === undefined) {
      values.delete(key)
      return
    }
    values.set(key, value)
    this.deleted = false
  }

  /** Ends everything this browser has. */
  delete (): void {
    this.regenerate([])
    this.deleted = true
  }

  /** A new session with some of the values; whoever calls this at a logout expects the login to be gone. */
  regenerate (keep: readonly string[]): void {
    this.kit.onDrop?.(this.request)
    this.begin(null, keep)
  }

  touch (): void {
    if (this.cookie === 'unread') this.read()
    this.insists ??= 'renew'
  }

  /** Without a session to write, clears the cookie even if this request brought none. */
  clearAnyway (): void {
    this.insists = 'clear'
  }

  /** Whose session this is could not be told: a renewal that is due waits for the next request. */
  holdRenewal (): void {
    this.renewable = false
  }

  options (attributes: SessionCookieOptions): void {
    this.attributes = { ...this.attributes, ...attributes }
  }

  get changed (): boolean {
    return this.dirty || (this.values !== null && JSON.stringify(plain(this.values)) !== this.valuesBefore)
  }

  /** Whether login state or values were asked for: the response depends on the cookie then. */
  get used (): boolean {
    return this.cookie !== 'unread'
  }

  /** Forgets every change; for a response that must leave the cookie as it is. */
  discard (): void {
    this.cookie = 'unread'
    this.claims = this.currentLogin = this.values = this.born = this.insists = null
    this.currentNext = undefined
    this.dirty = this.deleted = this.renewable = false
  }

  /**
   * Throws where this login would not fit beside the values that are kept, before anything changed.
   * @throws FST_LOGIN_COOKIE_TOO_LARGE
   */
  assertFits (login: LoginClaims, keep: readonly string[]): void {
    const kept = new Map([...this.open()].filter(([key]) => keep.includes(key)))
    this.encode(login, undefined, plain(kept))
  }

  private fits (next: string): boolean {
    try {
      this.encode(this.login, next, plain(this.open()))
      return true
    } catch {
      return false
    }
  }

  /** Writes or clears the cookie, if that is called for. Safe to call again. @throws FST_LOGIN_COOKIE_TOO_LARGE */
  commit (reply: FastifyReply): void {
    if (this.cookie === 'unread') return
    try {
      if (this.changed || this.insists !== null || this.renewalDue()) this.write(reply)
      else if (this.cookie === 'invalid') this.clear(reply)
    } catch (error) {
      // A login or logout stands; values that cannot be kept do not. Those of the same session stay as they were.
      this.values = this.born === null ? new Map() : null
      throw error
    }
  }

  private read (): void {
    this.readAt = this.kit.clock()
    const reading = readTokenCookie(this.kit, this.request, this.readAt)
    this.cookie = reading.kind
    if (reading.kind === 'invalid') tellInvalid(this.kit, this.request, reading.reason)
    if (reading.kind !== 'valid') return
    const { claims } = reading
    this.claims = claims
    this.born = claims.born
    this.currentNext = claims.next
    if (claims.uid !== undefined) this.currentLogin = claims as SessionClaims & LoginClaims
  }

  private renewalDue (): boolean {
    if (this.claims === null || !this.renewable) return false
    const { iat, exp, born } = this.claims
    if (numericDate(this.readAt) - iat <= this.kit.idleSeconds / 2) return false
    return expiry(this.kit, numericDate(this.kit.clock()), born) > exp &&
      this.request.routeOptions.config.login?.renew !== false &&
      !isHandshake(this.request)
  }

  private write (reply: FastifyReply): void {
    const data = this.values === null ? this.claims?.data ?? {} : plain(this.values)
    if (this.currentLogin === null && this.currentNext === undefined && Object.keys(data).length === 0) {
      if (this.cookie !== 'absent' || this.insists === 'clear') this.clear(reply)
      return
    }
    const { token, claims } = this.encode(this.currentLogin, this.currentNext, data)
    this.kit.cookie.set(reply, token, this.attributes)
    this.settle('valid', claims, data)
  }

  private clear (reply: FastifyReply): void {
    this.kit.cookie.clear(reply, this.attributes)
    this.settle('absent', null, {})
  }

  /** What the browser holds from now on. */
  private settle (cookie: 'absent' | 'valid', claims: SessionClaims | null, data: object): void {
    this.cookie = cookie
    this.claims = claims
    this.valuesBefore = JSON.stringify(data)
    this.dirty = false
    this.insists = null
  }

  private encode (login: LoginClaims | null, next: string | undefined, data: { readonly [key: string]: unknown }) {
    return encodeSession(this.kit, this.request, { login, next, data, born: this.born }, this.attributes)
  }
}
