import { createHash, randomBytes } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { LruMap } from 'toad-cache'
import { StoreFailedError } from '../errors.js'
import type { LoginSettings } from '../options/settings.js'
import type { LoginRecord, LoginStore } from './store.js'
import type { LoginClaims, LoginId, RememberClaims, UserId } from '../tokens/claims.js'

const MINUTE = 60_000
const MAX_USER_AGENT = 512
/** Logins whose last positive answer is remembered, with `storeCheckSeconds`. */
const MAX_CHECKED = 10_000

type RememberedLogin = Pick<RememberClaims, 'uid' | 'sid' | 'exp'> & { readonly tok?: string | undefined }

/** What a presented remember cookie earns; `tok` where the response must carry a new single-use token. */
export type Presented = { kind: 'restore', tok: string | undefined } | { kind: 'reuse' } | { kind: 'gone' }

/** The rules about login records, over any store. Every method throws FST_LOGIN_STORE_FAILED (503) where it cannot tell. */
export type Records = ReturnType<typeof createRecords>

export function createRecords (store: LoginStore, settings: LoginSettings) {
  const { clock, storeCheckSeconds, rememberGraceSeconds, maxLogins } = settings
  // A session lives this long after its last use; the rest is for lastSeenAt, which is not written at every request.
  const idleMs = (settings.session === 'external' ? 30 * 86_400_000 : settings.session.idleSeconds * 1000) + MINUTE + storeCheckSeconds * 1000
  const checked = new LruMap<number>(MAX_CHECKED)
  /** Logins ended so far: an answer from before the last of these is not kept. */
  let endings = 0

  function forget (sids: string[]): void {
    if (sids.length === 0) return
    endings++
    checked.deleteMany(sids)
  }

  async function ask<T> (method: keyof LoginStore, question: () => Promise<T>): Promise<T> {
    try {
      return await question()
    } catch (cause) {
      throw new StoreFailedError(method, { cause })
    }
  }

  /** Ends one login; whether there was one. */
  async function end (userId: UserId, sid: string): Promise<boolean> {
    try {
      return await ask('delete', () => store.delete(userId, sid, clock()))
    } finally {
      forget([sid])
    }
  }

  return {
    /** Adds the record of a login that begins now, in place of others of this user; answers with the sids that had to make room. */
    async create (login: LoginClaims, remembered: RememberedLogin | null, request: Pick<FastifyRequest, 'headers'>, replaces: string[] = []): Promise<string[]> {
      const now = clock()
      const record: LoginRecord = {
        sid: login.sid,
        userId: login.uid,
        createdAt: now,
        lastSeenAt: now,
        expiresAt: Math.max(now + idleMs, (remembered?.exp ?? 0) * 1000),
        userAgent: request.headers['user-agent']?.slice(0, MAX_USER_AGENT) ?? null,
        remember: remembered !== null
      }
      const digest = remembered?.tok === undefined ? null : digestOf(remembered.tok)
      const evicted = await ask('create', () => store.create(record, { digest, maxLogins, replaces, now }))
      forget([...evicted, ...replaces])
      return evicted
    },

    /** Whether the login still has its record; asks the store at most every `storeCheckSeconds`, unless told to ask now. */
    async alive (userId: UserId, sid: string, { ask: askNow = false } = {}): Promise<boolean> {
      const now = clock()
      const checkedAt = checked.get(sid)
      if (!askNow && checkedAt !== undefined && now - checkedAt < storeCheckSeconds * 1000 && now >= checkedAt) return true
      const endingsBefore = endings
      const record = await ask('find', () => store.find(userId, sid, now))
      if (record === null) {
        checked.delete(sid)
        return false
      }
      if (now - record.lastSeenAt >= MINUTE) {
        await ask('touch', () => store.touch(userId, sid, { lastSeenAt: now, expiresAt: Math.max(record.expiresAt, now + idleMs), now }))
      }
      if (storeCheckSeconds > 0 && endings === endingsBefore) checked.set(sid, now)
      return true
    },

    /** Judges a remember token, and replaces it where the response can carry another. */
    async present ({ uid, sid, exp, tok = '' }: RememberedLogin, { replace, expiresAt }: { replace: boolean, expiresAt: number }): Promise<Presented> {
      const now = clock()
      const fresh = replace ? newToken() : undefined
      const verdict = await ask('rotate', () => store.rotate(uid, sid, {
        presented: digestOf(tok),
        next: fresh === undefined ? null : digestOf(fresh),
        graceSeconds: rememberGraceSeconds,
        lastSeenAt: now,
        expiresAt: Math.max(expiresAt, exp * 1000, now + idleMs),
        now
      }))
      if (verdict === 'rotated') return { kind: 'restore', tok: fresh }
      // Which logins have ended with it, only the store knows.
      if (verdict === 'reuse') forget([sid, ...checked.keys()])
      return verdict === 'grace' ? { kind: 'restore', tok: undefined } : { kind: verdict }
    },

    end,

    /** Ends these logins, one after the other. */
    async endEach (logins: readonly LoginId[]): Promise<void> {
      for (const { uid, sid } of logins) await end(uid, sid)
    },

    /** Ends all logins of the user but one; answers with their sids. */
    async endAll (userId: UserId, except: string | null): Promise<string[]> {
      const sids = await ask('deleteAll', () => store.deleteAll(userId, { except, now: clock() }))
      forget(sids)
      return sids
    },

    /** All logins of the user, most recently seen first. */
    async list (userId: UserId): Promise<LoginRecord[]> {
      const records = await ask('list', () => store.list(userId, clock()))
      return records.sort((a, b) => b.lastSeenAt - a.lastSeenAt || b.createdAt - a.createdAt)
    }
  }
}

/** A single-use remember token: 128 bits nobody can guess. */
export function newToken (): string {
  return randomBytes(16).toString('base64url')
}

/** What a store keeps of a token. No key and no salt: the token is random, there is nothing to search for. */
function digestOf (token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}
