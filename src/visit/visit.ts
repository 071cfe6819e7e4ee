import type { FastifyRequest, LoginUser } from 'fastify'
import type { Area, Carrier } from '../session/session.js'
import { UserNotLoadedError } from '../errors.js'
import { findUser } from './identify.js'
import { isPromise, then } from '../http/promises.js'
import { Remember } from '../cookies/remember-cookie.js'
import { numericDate } from '../tokens/tokens.js'
import type { LoginId } from '../tokens/tokens.js'
import type { LoginState, MaybePromise, UserId } from '../options/options.js'
import { idOf } from './user.js'

export type Known = { kind: 'anonymous' } | { kind: 'login', user: LoginUser } | { kind: 'request', user: LoginUser }
type Outcome = { kind: 'unloaded' } | { kind: 'loading', user: Promise<LoginUser | null> } | Known

const UNLOADED: Outcome = { kind: 'unloaded' }
const NONE: readonly LoginId[] = []

/**
 * Who is asking? Session cookie, else remember cookie, else `requestLoader`; the loader runs at most once per request, and
 * nothing here makes a promise where the application's functions make none.
 */
export class CurrentUser {
  readonly carrier: Carrier
  /** Whether a guard stands before this route; its response is not to be stored. */
  noStore = false
  /** Logins ended by `session.delete()`, whose records go with the response. */
  ended: readonly LoginId[] = NONE
  /** The remember cookie, if anything asked for it. */
  remembering: Remember | null = null
  private outcome: Outcome = UNLOADED
  /** The one id the loader was asked for, and what it said. */
  private askedFor: UserId | null = null
  private answer: MaybePromise<LoginUser | null> = null

  constructor (readonly area: Area, readonly request: FastifyRequest) {
    this.carrier = area.carrier(request)
  }

  get remember (): Remember {
    return (this.remembering ??= new Remember(this.area.remember, this.request))
  }

  /** The user or `null`; a promise only where something has to be waited for. */
  load (): MaybePromise<LoginUser | null> {
    switch (this.outcome.kind) {
      case 'unloaded': return this.begin()
      case 'loading': return this.outcome.user
      default: return this.user
    }
  }

  /** The user or `null`. @throws FST_LOGIN_USER_NOT_LOADED where somebody may be there */
  loaded (member: string): LoginUser | null {
    switch (this.outcome.kind) {
      case 'unloaded':
      case 'loading':
        if (this.somebodyMayBeThere()) throw new UserNotLoadedError(member)
        return null
      default: return this.user
    }
  }

  /** The user, as far as is known. A login that has left the session since is none. */
  get user (): LoginUser | null {
    if (this.outcome.kind === 'request') return this.outcome.user
    return this.outcome.kind === 'login' && this.carrier.login !== null ? this.outcome.user : null
  }

  /** The user with this id, asked for once. */
  byId (id: UserId): MaybePromise<LoginUser | null> {
    if (this.askedFor === id) return this.answer
    this.askedFor = id
    try {
      this.answer = then(this.area.settings.userLoader?.(id, this.request), userOrNull)
    } catch (error) {
      this.answer = Promise.reject(error)
    }
    return this.answer
  }

  /** The user with this id, for an event: nothing is checked or restored. */
  userFor (id: UserId): MaybePromise<LoginUser | null> {
    return (this.outcome.kind === 'login' ? this.user : null) ?? this.byId(id)
  }

  /** @throws FST_LOGIN_USER_NOT_LOADED where somebody may be there */
  state (): LoginState {
    this.loaded('request.loginState')
    if (this.outcome.kind === 'request') return { kind: 'request' }
    const login = this.outcome.kind === 'login' ? this.carrier.login : null
    if (login === null) return { kind: 'anonymous' }
    const remembered = this.remember.claims?.uid === login.uid
    return { kind: login.fresh ? 'fresh' : 'stale', sid: login.sid, userId: login.uid, authTime: login.auth_time, remembered }
  }

  /** Whether the user signed in or confirmed in this session, and no longer ago than that. */
  isFresh (maxAgeSeconds: number | undefined): boolean {
    const login = this.outcome.kind === 'login' ? this.carrier.login : null
    if (login?.fresh !== true) return false
    if (maxAgeSeconds === undefined) return true
    const age = numericDate(this.area.settings.clock()) - login.auth_time
    return age >= 0 && age <= maxAgeSeconds
  }

  /** Whether the user came with a login, and not with the request alone. */
  get hasLogin (): boolean {
    return this.outcome.kind === 'login'
  }

  signedIn (user: LoginUser): void {
    this.outcome = { kind: 'login', user }
  }

  signedOut (): void {
    this.outcome = { kind: 'anonymous' }
  }

  /** The logins this browser carries: that of the session first, then the remembered one where it is another. */
  logins (): LoginId[] {
    const session = this.carrier.login
    const remembered = this.remember.claims
    return [session, remembered?.sid === session?.sid ? null : remembered].filter((login) => login !== null)
  }

  /** The application ended the whole session: what it carried and what was remembered. */
  dropped (): void {
    this.ended = [...this.ended, ...this.logins()]
    this.remember.clear()
    if (this.outcome.kind !== 'request') this.signedOut()
  }

  /** Whether somebody signed in or out while the user was being loaded. */
  get overtaken (): boolean {
    return this.outcome.kind !== 'unloaded' && this.outcome.kind !== 'loading'
  }

  private somebodyMayBeThere (): boolean {
    return this.carrier.login !== null || this.remember.claims !== null || this.area.settings.requestLoader !== undefined
  }

  private begin (): MaybePromise<LoginUser | null> {
    let found: MaybePromise<Known>
    try {
      found = findUser(this)
    } catch (error) {
      found = Promise.reject(error)
    }
    if (!isPromise(found)) return this.settle(found)
    const user = found.then((known) => this.settle(known))
    this.outcome = { kind: 'loading', user }
    user.catch(() => this.carrier.holdRenewal()) // whoever asks gets the error
    return user
  }

  /** What happened meanwhile (a login, a logout) stands. */
  private settle (known: Known): LoginUser | null {
    if (!this.overtaken) this.outcome = known
    return this.user
  }
}

/** What the loader said, if it is a user. */
function userOrNull (user: LoginUser | null | undefined): LoginUser | null {
  if (user === null || user === undefined) return null
  idOf(user, 'userLoader')
  return user
}
