import type { FastifyReply, FastifyRequest, LoginUser } from 'fastify'
import type { Area } from '../area/area.js'
import { RememberCookie } from '../cookies/remember-cookie.js'
import { UserNotLoadedError } from '../errors.js'
import { headersGone, isHandshake } from '../http/headers.js'
import { isPromise } from '../http/promises.js'
import type { MaybePromise } from '../http/promises.js'
import type { Session } from '../session/session.js'
import { numericDate } from '../tokens/claims.js'
import type { LoginClaims, LoginId, UserId } from '../tokens/claims.js'
import { idOf } from './user.js'

/** What is known of the user once loaded. `authTime` in seconds since 1970. */
export type LoginState =
  | { kind: 'anonymous' }
  | { kind: 'request' }
  | {
    kind: 'fresh' | 'stale'
    /** The login's id. */
    sid: string
    userId: UserId
    /** When the user last proved who they are, seconds since 1970 (OpenID Connect `auth_time`). */
    authTime: number
    /** A valid remember cookie of this user came with the request or goes out with its response. */
    remembered: boolean
  }

/** Who turned out to be there: nobody, somebody with a login, or somebody `requestLoader` knows. */
export type Known = { kind: 'anonymous' } | { kind: 'login', user: LoginUser } | { kind: 'request', user: LoginUser }
type Who = { kind: 'unasked' } | { kind: 'asked', user: Promise<LoginUser | null> } | Known

export const ANONYMOUS: Known = { kind: 'anonymous' }
const UNASKED: Who = { kind: 'unasked' }
const NONE: readonly LoginId[] = []
const NOT_LOADED_HELP =
  'Put a guard on the route, await request.getCurrentUser() first, or register with loadUser: \'eager\''
const LOADER_HELP = 'A loader says who is there and must not wait for that'

/** One request in one area: what its browser carries, who that turns out to be, what goes back. */
export class Visit {
  /** Whether a guard stands before this route; its response is not to be stored. */
  noStore = false
  /** The reply, where somebody told. */
  reply: FastifyReply | null = null
  private who: Who = UNASKED
  private remembering: RememberCookie | null = null
  /** Logins ended by `session.delete()`, whose records go with the response. */
  private ending: readonly LoginId[] = NONE
  /** The one id `userLoader` was asked for, and what it said. */
  private askedFor: UserId | null = null
  private answer: MaybePromise<LoginUser | null> = null
  /** Whether one of the application's loaders has been called and not returned yet. */
  private isInLoader = false

  constructor (readonly area: Area, readonly request: FastifyRequest, readonly session: Session) {}

  get remember (): RememberCookie {
    return (this.remembering ??= new RememberCookie(this.area.remember, this.request))
  }

  /** The answer to `currentUser()`, once it was asked. @throws FST_LOGIN_USER_NOT_LOADED to a loader */
  get asked (): MaybePromise<LoginUser | null> | undefined {
    if (this.isInLoader) throw new UserNotLoadedError('the user', LOADER_HELP)
    switch (this.who.kind) {
      case 'unasked': return undefined
      case 'asked': return this.who.user
      default: return this.user
    }
  }

  /** Whether it is known who is there: found, or signed in or out by this very request. */
  get settled (): boolean {
    return this.who.kind !== 'unasked' && this.who.kind !== 'asked'
  }

  /** The user, as far as is known. A login that has left the session since is none. */
  get user (): LoginUser | null {
    if (this.who.kind === 'request') return this.who.user
    return this.who.kind === 'login' && this.session.login !== null ? this.who.user : null
  }

  /** The login of the user, and `null` for one who came with the request alone. */
  get login (): LoginClaims | null {
    return this.who.kind === 'login' ? this.session.login : null
  }

  /** The user or `null`. @throws FST_LOGIN_USER_NOT_LOADED where somebody may be there */
  loaded (member: string): LoginUser | null {
    if (!this.settled && this.couldBeSomebody()) throw new UserNotLoadedError(member, NOT_LOADED_HELP)
    return this.user
  }

  /** @throws FST_LOGIN_USER_NOT_LOADED where somebody may be there */
  state (): LoginState {
    this.loaded('request.loginState')
    if (this.who.kind === 'request') return { kind: 'request' }
    const { login } = this
    if (login === null) return { kind: 'anonymous' }
    const remembered = this.remember.claims?.uid === login.uid
    const { sid, uid: userId, auth_time: authTime } = login
    return { kind: login.fresh ? 'fresh' : 'stale', sid, userId, authTime, remembered }
  }

  /** Whether the user signed in or confirmed in this session, and no longer ago than that. */
  isFresh (maxAgeSeconds: number | undefined): boolean {
    const { login } = this
    if (login?.fresh !== true) return false
    if (maxAgeSeconds === undefined) return true
    const age = numericDate(this.area.settings.clock()) - login.auth_time
    return age >= 0 && age <= maxAgeSeconds
  }

  /** The logins this browser carries: that of the session first, then the remembered one where it is another. */
  logins (): LoginId[] {
    const session = this.session.login
    const remembered = this.remember.claims
    return [session, remembered?.sid === session?.sid ? null : remembered].filter((login) => login !== null)
  }

  /** The user with this id, asked for once. */
  userById (id: UserId): MaybePromise<LoginUser | null> {
    if (this.askedFor === id) return this.answer
    this.askedFor = id
    return (this.answer = this.load(() => this.area.settings.userLoader?.(id, this.request), 'userLoader'))
  }

  /** The user `requestLoader` knows. */
  userByRequest (): MaybePromise<LoginUser | null> {
    return this.load(() => this.area.settings.requestLoader?.(this.request), 'requestLoader')
  }

  /** The user with this id, for an event: nothing is checked or restored. */
  userForEvent (id: UserId): MaybePromise<LoginUser | null> {
    return (this.who.kind === 'login' ? this.user : null) ?? this.userById(id)
  }

  /** What was found. A login or logout of the same request that came before it stands. */
  settle (found: MaybePromise<Known>): MaybePromise<LoginUser | null> {
    if (isPromise(found)) {
      const user = found.then((known) => this.settle(known))
      if (!this.settled) this.who = { kind: 'asked', user }
      user.catch(() => this.session.holdRenewal()) // whoever asks gets the error
      return user
    }
    if (!this.settled) this.who = found
    return this.user
  }

  signedIn (user: LoginUser): void {
    this.who = { kind: 'login', user }
  }

  signedOut (): void {
    this.who = ANONYMOUS
  }

  /** The application ended the whole session: what it held and what was remembered. */
  sessionEnded (): void {
    this.ending = [...this.ending, ...this.logins()]
    this.remember.end()
    if (this.who.kind !== 'request') this.signedOut()
  }

  /** Whether the response can carry cookies: not that of an opened WebSocket, nor one whose headers are gone. */
  get canSetCookies (): boolean {
    return !isHandshake(this.request) && (this.reply === null || !headersGone(this.reply))
  }

  /** What goes out before the session's own cookie; a promise only where records have to end first. */
  commit (reply: FastifyReply): MaybePromise<void> {
    if (this.area.records !== undefined && this.ending.length > 0) {
      return this.endRecords(reply).then(() => this.commit(reply))
    }
    this.remembering?.commit(reply)
    if (this.noStore && !reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
  }

  /** `session.delete()` cannot wait for the store, so the response does. Where that fails the login stands, cookies and all. */
  private async endRecords (reply: FastifyReply): Promise<void> {
    try {
      await this.area.records!.endEach(this.ending)
    } catch (error) {
      this.remember.discard()
      throw error
    } finally {
      this.ending = NONE
    }
  }

  private couldBeSomebody (): boolean {
    const hasCookie = this.session.login !== null || this.remember.claims !== null
    return hasCookie || this.area.settings.requestLoader !== undefined
  }

  /** What one of the application's loaders says, if it is a user. */
  private load (
    loader: () => MaybePromise<LoginUser | null | undefined>, name: 'userLoader' | 'requestLoader'
  ): MaybePromise<LoginUser | null> {
    let answer: MaybePromise<LoginUser | null>
    this.isInLoader = true
    try {
      const user = loader()
      answer = isPromise(user) ? user.then((user) => userOrNull(user, name)) : userOrNull(user, name)
    } catch (error) {
      answer = Promise.reject(error)
    }
    this.isInLoader = false
    return answer
  }
}

function userOrNull (user: LoginUser | null | undefined, loader: string): LoginUser | null {
  if (user === null || user === undefined) return null
  idOf(user, loader)
  return user
}
