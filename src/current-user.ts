import type { FastifyRequest, LoginUser } from 'fastify'
import type { Area, Carrier } from './area.js'
import { UserNotLoadedError } from './errors.js'
import { headersGone, isHandshake } from './headers.js'
import { isPromise, then } from './promises.js'
import { Remember } from './remember.js'
import type { Remembering } from './remember.js'
import type { LoginClaims } from './tokens.js'
import type { LoginState, MaybePromise, UserId } from './types.js'
import { idOf, isActive } from './users.js'

type Known = { kind: 'anonymous' } | { kind: 'login', user: LoginUser } | { kind: 'request', user: LoginUser }
type Outcome = { kind: 'unloaded' } | { kind: 'loading', user: Promise<LoginUser | null> } | Known

const UNLOADED: Outcome = { kind: 'unloaded' }
const NONE: readonly LoginId[] = []
const ANONYMOUS: Known = { kind: 'anonymous' }

/** What names a login. */
export type LoginId = Pick<LoginClaims, 'uid' | 'sid'>

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

  constructor (private readonly area: Area, private readonly request: FastifyRequest) {
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
      default: return this.known()
    }
  }

  /** The user or `null`. @throws FST_LOGIN_USER_NOT_LOADED where somebody may be there */
  loaded (member: string): LoginUser | null {
    switch (this.outcome.kind) {
      case 'unloaded':
      case 'loading':
        if (this.somebodyMayBeThere()) throw new UserNotLoadedError(member)
        return null
      default: return this.known()
    }
  }

  /** The user with this id, for an event: nothing is checked or restored. */
  userFor (id: UserId): MaybePromise<LoginUser | null> {
    return (this.outcome.kind === 'login' ? this.known() : null) ?? this.byId(id)
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
    const age = Math.floor(this.area.settings.clock() / 1000) - login.auth_time
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
    this.outcome = ANONYMOUS
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

  private somebodyMayBeThere (): boolean {
    return this.carrier.login !== null || this.remember.claims !== null || this.area.settings.requestLoader !== undefined
  }

  private begin (): MaybePromise<LoginUser | null> {
    let found: MaybePromise<Known>
    try {
      found = this.find()
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
    return this.known()
  }

  /** Whether somebody signed in or out while the user was being loaded: then nothing of what was found may be written. */
  private get overtaken (): boolean {
    return this.outcome.kind !== 'unloaded' && this.outcome.kind !== 'loading'
  }

  /** A login that has left the session since is none. */
  private known (): LoginUser | null {
    if (this.outcome.kind === 'request') return this.outcome.user
    return this.outcome.kind === 'login' && this.carrier.login !== null ? this.outcome.user : null
  }

  private find (): MaybePromise<Known> {
    const login = this.carrier.login
    if (login !== null) return then(this.bySession(login), (user) => user === null ? this.byRequest() : { kind: 'login', user })
    const remembered = this.remember.claims
    if (remembered !== null) return then(this.byRemember(remembered), (user) => user === null ? this.byRequest() : { kind: 'login', user })
    return this.byRequest()
  }

  private bySession (login: LoginClaims): MaybePromise<LoginUser | null> {
    const { records } = this.area
    if (records === undefined) return then(this.byId(login.uid), (user) => this.admit(login, user))
    return records.alive(login.uid, login.sid).then((alive) => alive
      ? then(this.byId(login.uid), (user) => this.admit(login, user))
      : this.end({ withRecords: false }))
  }

  private byRemember (remembered: Remembering): MaybePromise<LoginUser | null> {
    return then(this.byId(remembered.uid), (user) => {
      if (user === null || this.area.stamps.compare(remembered.stamp, user) === 'changed') return this.end()
      if (!isActive(user)) return null
      const { records } = this.area
      if (records === undefined) return this.restore(remembered, user, undefined)
      const step = { replace: this.responseCarriesCookies(), expiresAt: this.remember.renewed(remembered).exp * 1000 }
      return records.present(remembered, step).then((presented) => {
        if (presented.kind === 'restore') return this.restore(remembered, user, presented.tok)
        if (presented.kind === 'reuse') this.area.events.emit('reuse', { request: this.request, user, userId: remembered.uid, sid: remembered.sid })
        return this.end({ withRecords: false })
      })
    })
  }

  private byRequest (): MaybePromise<Known> {
    const { requestLoader } = this.area.settings
    if (requestLoader === undefined) return ANONYMOUS
    return then(requestLoader(this.request), (user) => {
      if (user === null || user === undefined) return ANONYMOUS
      idOf(user, 'requestLoader')
      return isActive(user) ? { kind: 'request', user } : ANONYMOUS
    })
  }

  private byId (id: UserId): MaybePromise<LoginUser | null> {
    if (this.askedFor === id) return this.answer
    this.askedFor = id
    try {
      this.answer = then(this.area.settings.userLoader?.(id, this.request), userOrNull)
    } catch (error) {
      this.answer = Promise.reject(error)
    }
    return this.answer
  }

  /** Whether the user of a verified session login may be taken for logged in. */
  private admit (login: LoginClaims, user: LoginUser | null): MaybePromise<LoginUser | null> {
    if (this.overtaken) return user
    if (user === null) return this.end()
    const stamp = this.area.stamps.compare(login.stamp, user)
    if (stamp === 'changed') return this.end()
    if (!isActive(user)) return null
    const fingerprint = this.area.fingerprints.compare(login.fp, this.request)
    if (fingerprint === 'changed') return this.protect(login, user)
    if (stamp === 'old' || fingerprint === 'old') this.carrier.refresh(this.withDigests(login, user))
    return user
  }

  /** The login with digests under the first secret. */
  private withDigests (login: LoginClaims, user: LoginUser): LoginClaims {
    const { stamps, fingerprints } = this.area
    const { uid, sid, auth_time, fresh = false } = login
    const stamp = stamps.of(user)
    const fp = fingerprints.of(this.request)
    return { uid, sid, auth_time, fresh, ...stamp === undefined ? {} : { stamp }, ...fp === undefined ? {} : { fp } }
  }

  /** The fingerprint changed. `basic` takes on the new one, so that this happens once and not at every request. */
  private protect (login: LoginClaims, user: LoginUser): MaybePromise<LoginUser | null> {
    const mode = this.area.settings.sessionProtection as 'basic' | 'strong'
    const tell = () => this.area.events.emit('protect', { request: this.request, user, userId: login.uid, sid: login.sid, mode })
    if (mode === 'basic') {
      this.carrier.update({ ...this.withDigests(login, user), fresh: false })
      tell()
      return user
    }
    return then(this.area.records?.endEach(this.logins()), () => {
      if (this.overtaken) return null
      this.carrier.update(null)
      this.remember.clear()
      tell()
      return null
    })
  }

  /** Protection values are set here too, or strong protection would end the session at the next request. */
  private restore (remembered: Remembering, user: LoginUser, tok: string | undefined): LoginUser {
    if (this.overtaken) return user
    const { uid, sid, auth_time } = remembered
    const login = this.withDigests({ uid, sid, auth_time, fresh: false }, user)
    if (this.responseCarriesCookies()) {
      this.carrier.update(login)
      // With records, the response without a new single-use token is not the one that renews.
      if (this.area.records === undefined ? this.area.remember.renew : tok !== undefined) this.remember.renew(remembered, login.stamp, tok)
    } else {
      // A refused handshake has a response after all, and leaves the cookie as an opened one does.
      this.carrier.refresh(login)
    }
    this.area.events.emit('restore', { request: this.request, user, userId: uid, sid })
    return user
  }

  /** The user is gone, the stamp has changed, or the record was ended: so does the session, with both cookies. */
  private end ({ withRecords = true } = {}): MaybePromise<null> {
    if (this.overtaken) return null
    return then(withRecords ? this.area.records?.endEach(this.logins()) : undefined, () => {
      if (this.overtaken) return null
      const login = this.carrier.login
      return then(login === null ? undefined : this.carrier.begin(null, []), () => {
        this.remember.clear()
        return null
      })
    })
  }

  private responseCarriesCookies (): boolean {
    const reply = this.area.replyOf(this.request)
    return !isHandshake(this.request) && (reply === null || !headersGone(reply))
  }
}

/** What the loader said, if it is a user. */
function userOrNull (user: LoginUser | null | undefined): LoginUser | null {
  if (user === null || user === undefined) return null
  idOf(user, 'userLoader')
  return user
}
