import { createHash, randomBytes } from 'node:crypto'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { LruMap } from 'toad-cache'
import { InvalidOptionsError, kindOf, StoreFailedError } from '../errors.js'
import type { LoginOwner, LoginRecord, LoginStore } from './store.js'
import type { LoginClaims, LoginId, RememberClaims } from '../tokens/claims.js'
import type { UserId } from '../tokens/claims.js'

const MINUTE = 60_000
const MAX_USER_AGENT = 512
/** Logins whose last positive answer is remembered, with `storeCheckSeconds`. */
const MAX_CHECKED = 10_000

/** How long a record outlives its last use where another plugin keeps the session, and does not tell how long it does. */
export const EXTERNAL_IDLE_SECONDS = 30 * 86_400

/** What the rules about records depend on. */
export interface RecordSettings {
  /** Name of the area whose logins these are. */
  readonly area: string
  readonly clock: () => number
  /** How long a session lives after its last use; `EXTERNAL_IDLE_SECONDS` where that is not known. */
  readonly idleSeconds: number
  readonly storeCheckSeconds: number
  readonly rememberGraceSeconds: number
  readonly maxLogins: number | null
  readonly storeTimeoutSeconds: number
  readonly log: Pick<FastifyBaseLogger, 'warn'>
}

type RememberedLogin = Pick<RememberClaims, 'uid' | 'sid' | 'exp'> & { readonly tok?: string | undefined }

/** What a presented remember cookie earns; `tok` where the response must carry a new single-use token. */
export type Redemption = { kind: 'restore', tok: string | undefined } | { kind: 'reuse' } | { kind: 'gone' }

/** The rules about login records, over any store. Every method throws FST_LOGIN_STORE_FAILED (503) where it cannot tell. */
export class Records {
  /** When the store last said that this login is there. */
  private readonly checked = new LruMap<number>(MAX_CHECKED)
  /** Logins ended so far: an answer from before the last of these is not kept. */
  private endings = 0

  constructor (private readonly store: LoginStore, private readonly settings: RecordSettings) {}

  /** Adds the record of a login that begins now, in place of others of this user; answers with the sids that had to make room. */
  async create (
    login: LoginClaims, remembered: RememberedLogin | null, request: Pick<FastifyRequest, 'headers'>, replaces: string[] = []
  ): Promise<string[]> {
    const { clock, maxLogins } = this.settings
    const now = clock()
    const record: LoginRecord = {
      ...this.owner(login.uid),
      sid: login.sid,
      createdAt: now,
      lastSeenAt: now,
      expiresAt: Math.max(this.idleEnd(now), (remembered?.exp ?? 0) * 1000),
      userAgent: request.headers['user-agent']?.slice(0, MAX_USER_AGENT) ?? null,
      remember: remembered !== null
    }
    const replaced = replaces.filter(isSid)
    const digest = remembered?.tok === undefined ? null : digestOf(remembered.tok)
    const evicted = await this.ask('create', () => this.store.create(record, { digest, maxLogins, replaces: replaced, now }))
    this.forget([...evicted, ...replaced])
    return evicted
  }

  /** Whether the login still has its record; asks the store at most every `storeCheckSeconds`, unless told to ask now. */
  async alive (userId: UserId, sid: string, { ask: askNow = false } = {}): Promise<boolean> {
    const { clock, storeCheckSeconds } = this.settings
    const owner = this.owner(userId)
    if (!isSid(sid)) return false
    const now = clock()
    const checkedAt = this.checked.get(sid)
    if (!askNow && checkedAt !== undefined && now - checkedAt < storeCheckSeconds * 1000 && now >= checkedAt) return true
    const endingsBefore = this.endings
    const record = await this.ask('find', () => this.store.find(owner, sid, now))
    if (record === null) {
      this.checked.delete(sid)
      return false
    }
    if (now - record.lastSeenAt >= MINUTE) {
      const times = { lastSeenAt: now, expiresAt: Math.max(record.expiresAt, this.idleEnd(now)), now }
      await this.ask('touch', () => this.store.touch(owner, sid, times))
    }
    if (storeCheckSeconds > 0 && this.endings === endingsBefore) this.checked.set(sid, now)
    return true
  }

  /** Judges a remember token, and replaces it where the response can carry another. */
  async redeem (
    { uid, sid, exp, tok = '' }: RememberedLogin, { replace, expiresAt }: { replace: boolean, expiresAt: number }
  ): Promise<Redemption> {
    const { clock, rememberGraceSeconds } = this.settings
    const owner = this.owner(uid)
    if (!isSid(sid)) return { kind: 'gone' }
    const now = clock()
    const fresh = replace ? newToken() : undefined
    const verdict = await this.ask('rotate', () => this.store.rotate(owner, sid, {
      presented: digestOf(tok),
      next: fresh === undefined ? null : digestOf(fresh),
      graceSeconds: rememberGraceSeconds,
      lastSeenAt: now,
      expiresAt: Math.max(expiresAt, exp * 1000, this.idleEnd(now)),
      now
    }))
    if (verdict === 'rotated') return { kind: 'restore', tok: fresh }
    // Which logins have ended with it, only the store knows.
    if (verdict === 'reuse') this.forget([sid, ...this.checked.keys()])
    return verdict === 'grace' ? { kind: 'restore', tok: undefined } : { kind: verdict }
  }

  /** Ends one login; whether there was one. */
  async end (userId: UserId, sid: string): Promise<boolean> {
    const owner = this.owner(userId)
    if (!isSid(sid)) return false
    try {
      return await this.ask('delete', () => this.store.delete(owner, sid, this.settings.clock()))
    } finally {
      this.forget([sid])
    }
  }

  /** Ends these logins, one after the other. */
  async endEach (logins: readonly LoginId[]): Promise<void> {
    for (const { uid, sid } of logins) await this.end(uid, sid)
  }

  /** Ends all logins of the user but one; answers with their sids. */
  async endAll (userId: UserId, except: string | null): Promise<string[]> {
    const owner = this.owner(userId)
    const kept = isSid(except) ? except : null
    const sids = await this.ask('deleteAll', () => this.store.deleteAll(owner, { except: kept, now: this.settings.clock() }))
    this.forget(sids)
    return sids
  }

  /** All logins of the user, most recently seen first. */
  async list (userId: UserId): Promise<LoginRecord[]> {
    const owner = this.owner(userId)
    const records = await this.ask('list', () => this.store.list(owner, this.settings.clock()))
    return records.sort((a, b) => b.lastSeenAt - a.lastSeenAt || b.createdAt - a.createdAt)
  }

  /** This user in this area. @throws FST_LOGIN_INVALID_OPTIONS where the caller has no usable id */
  private owner (userId: UserId): LoginOwner {
    if (Number.isFinite(userId) || (typeof userId === 'string' && userId !== '')) return { area: this.settings.area, userId }
    const got = typeof userId === 'number' ? userId : kindOf(userId)
    throw new InvalidOptionsError(`logins belong to a user, whose id is a string that is not empty or a finite number, got ${got}`)
  }

  /** When a login ends that is used now and never again. The rest is for lastSeenAt, which is not written at every request. */
  private idleEnd (now: number): number {
    const { idleSeconds, storeCheckSeconds } = this.settings
    return now + (idleSeconds + storeCheckSeconds) * 1000 + MINUTE
  }

  private forget (sids: string[]): void {
    if (sids.length === 0) return
    this.endings++
    this.checked.deleteMany(sids)
  }

  private async ask<T> (method: keyof LoginStore, question: () => Promise<T>): Promise<T> {
    try {
      return await question()
    } catch (cause) {
      throw new StoreFailedError(method, { cause })
    }
  }
}

/** Whether this may name a login. A visitor can send anything as one; what cannot is nobody's, and no store hears of it. */
function isSid (sid: unknown): sid is string {
  return typeof sid === 'string' && /^[\w-]{1,64}$/.test(sid)
}

/** A single-use remember token: 128 bits nobody can guess. */
export function newToken (): string {
  return randomBytes(16).toString('base64url')
}

/** What a store keeps of a token. No key and no salt: the token is random, there is nothing to search for. */
function digestOf (token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
