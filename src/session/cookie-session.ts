import type { FastifyReply, FastifyRequest } from 'fastify'
import { assertSize } from '../cookies/cookie.js'
import { HeldCookie } from '../cookies/token-cookie.js'
import { isHandshake } from '../http/headers.js'
import type { SessionCookieOptions } from '../options/options.js'
import { numericDate } from '../tokens/claims.js'
import type { LoginClaims, SessionClaims, Unsigned } from '../tokens/claims.js'
import { expiry, sessionClaims } from './session-token.js'
import type { SessionContent, SessionCookie } from './session-token.js'
import { Session } from './session.js'
import { plain, valuesFrom } from './values.js'
import type { Values } from './values.js'

/** What the browser should hold, once that may differ from what it holds. */
interface Draft {
  login: LoginClaims | null
  next: string | undefined
  /** When the session began, in seconds; `null`: with this response. */
  born: number | null
  /** Copied: verified claims are shared between requests and never handed out. */
  values: Values
  /** Something besides the values changed; in those, only a comparison sees changes in place. */
  changed: boolean
  /** Whether an empty session clears the cookie even if none came. */
  clearAnyway: boolean
  /** The session was deleted, and nothing set since. */
  deleted: boolean
}

/** What goes out where nothing changed: a renewal that is due, one in any case, none, or not even changes. */
type Writes = 'due' | 'always' | 'changes' | 'nothing'

/** The session of one request in our own cookie. Nothing is read before somebody asks, and it is written once, in `commit`. */
export class CookieSession extends Session {
  private readonly held: HeldCookie<SessionClaims>
  private draft: Draft | null = null
  private writes: Writes = 'due'
  private attributes: SessionCookieOptions | undefined = undefined

  constructor (
    private readonly cookie: SessionCookie,
    private readonly request: FastifyRequest,
    /** The application ended the session itself. */
    private readonly onEnd: (request: FastifyRequest) => void
  ) {
    super()
    this.held = new HeldCookie(cookie, request)
  }

  get login (): LoginClaims | null {
    return this.draft === null ? loginIn(this.held.claims) : this.draft.login
  }

  get next (): string | undefined {
    return this.draft === null ? this.held.claims?.next : this.draft.next
  }

  /** A target that does not fit beside the values is left out: where people end up matters less than what they have. */
  set next (target: string | undefined) {
    const kept = target !== undefined && this.fits(target) ? target : undefined
    if (kept === this.next) return
    const draft = this.open()
    draft.next = kept
    draft.changed = true
  }

  update (login: LoginClaims | null): void {
    const draft = this.open()
    draft.login = login
    draft.changed = true
  }

  override amend (login: LoginClaims): void {
    this.open().login = login
  }

  startOver (login: LoginClaims | null, keep: readonly string[]): void {
    const values = new Map([...this.values].filter(([key]) => keep.includes(key)))
    this.draft = { login, next: undefined, born: null, values, changed: true, clearAnyway: false, deleted: false }
  }

  assertFits (login: LoginClaims, keep: readonly string[]): void {
    const data = plain(new Map([...this.values].filter(([key]) => keep.includes(key))))
    this.assertClaimsFit(sessionClaims(this.cookie, { login, next: undefined, data, born: null }))
  }

  override clearAnyway (): void {
    this.open().clearAnyway = true
  }

  override holdRenewal (): void {
    if (this.writes !== 'nothing') this.writes = 'changes'
  }

  override leaveCookie (): void {
    this.writes = 'nothing'
  }

  /** Forgets every change, too. */
  discard (): void {
    this.held.forget()
    this.draft = null
    this.leaveCookie()
  }

  /** The values, opened for reading and writing. */
  get values (): Values {
    return this.open().values
  }

  set (key: string, value: unknown): void {
    const draft = this.open()
    if (value === undefined) {
      draft.values.delete(key)
      return
    }
    draft.values.set(key, value)
    draft.deleted = false
  }

  /** Ends everything this browser has. */
  delete (): void {
    this.regenerate([])
    this.open().deleted = true
  }

  /** A new session with some of the values; whoever calls this at a logout expects the login to be gone. */
  regenerate (keep: readonly string[]): void {
    this.onEnd(this.request)
    this.startOver(null, keep)
  }

  touch (): void {
    if (this.writes === 'due') this.writes = 'always'
  }

  options (attributes: SessionCookieOptions): void {
    this.attributes = { ...this.attributes, ...attributes }
  }

  get changed (): boolean {
    const { draft } = this
    if (draft === null) return false
    return draft.changed || JSON.stringify(plain(draft.values)) !== JSON.stringify(this.held.claims?.data ?? {})
  }

  get deleted (): boolean {
    return this.draft?.deleted === true
  }

  /** Whether login state or values were asked for: the response depends on the cookie then. */
  get used (): boolean {
    return this.held.isRead || this.writes === 'always'
  }

  /** Writes or clears the cookie, if that is called for. Safe to call again. @throws FST_LOGIN_COOKIE_TOO_LARGE */
  commit (reply: FastifyReply): void {
    if (!this.used || this.writes === 'nothing') return
    const isCalledFor = this.changed || this.draft?.clearAnyway === true || this.writes === 'always'
    if (isCalledFor || this.isRenewalDue()) this.write(reply)
    else if (this.held.known.kind === 'invalid') this.held.clear(reply, this.attributes)
  }

  private open (): Draft {
    if (this.draft !== null) return this.draft
    const claims = this.held.claims
    return (this.draft = {
      login: loginIn(claims),
      next: claims?.next,
      born: claims?.born ?? null,
      values: valuesFrom(claims?.data),
      changed: false,
      clearAnyway: false,
      deleted: false
    })
  }

  private write (reply: FastifyReply): void {
    const content = this.content()
    if (content.login === null && content.next === undefined && Object.keys(content.data).length === 0) {
      if (this.held.came || this.draft?.clearAnyway === true) this.held.clear(reply, this.attributes)
    } else {
      const claims = sessionClaims(this.cookie, content)
      try {
        this.assertClaimsFit(claims)
      } catch (error) {
        this.dropValues()
        throw error
      }
      this.held.set(reply, claims, this.attributes)
    }
    this.draft = null
    if (this.writes === 'always') this.writes = 'due'
  }

  private content (): SessionContent {
    const { draft } = this
    if (draft !== null) return { ...draft, data: plain(draft.values) }
    const claims = this.held.claims
    return { login: loginIn(claims), next: claims?.next, data: claims?.data ?? {}, born: claims?.born ?? null }
  }

  /** A login or logout stands; values that cannot be kept do not. Those of the same session stay as they were. */
  private dropValues (): void {
    const draft = this.open()
    draft.values = draft.born === null ? new Map() : valuesFrom(this.held.claims?.data)
  }

  private isRenewalDue (): boolean {
    const { claims, readAt } = this.held
    if (claims === null || this.writes === 'changes') return false
    const { iat, exp, born } = claims
    if (numericDate(readAt) - iat <= this.cookie.idleSeconds / 2) return false
    return expiry(this.cookie, numericDate(this.cookie.clock()), born) > exp &&
      this.request.routeOptions.config.login?.renew !== false &&
      !isHandshake(this.request)
  }

  private fits (next: string): boolean {
    try {
      this.assertClaimsFit(sessionClaims(this.cookie, { ...this.content(), next }))
      return true
    } catch {
      return false
    }
  }

  private assertClaimsFit (claims: Unsigned<SessionClaims>): void {
    const { cookie, tokens } = this.cookie
    assertSize(cookie, cookie.size(this.request, tokens.weigh(claims), this.attributes), claims.data)
  }
}

function loginIn (claims: SessionClaims | null): LoginClaims | null {
  return claims?.uid === undefined ? null : claims as SessionClaims & LoginClaims
}
