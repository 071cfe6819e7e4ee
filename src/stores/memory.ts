import type { UserId } from '../tokens/claims.js'
import { firstToken, judge } from './rotation.js'
import type { TokenState } from './rotation.js'
import type { LoginRecord, LoginStore } from './store.js'

/** Milliseconds between two looks through everything for what has expired. */
const SWEEP_EVERY = 60_000

interface Entry { record: LoginRecord, tokens: TokenState }

/**
 * Login records in this process: for one process, tests and development. They end with the process. What has expired leaves
 * at the next call a minute later or more; no timer is involved, so nothing keeps the process alive.
 */
export function memoryStore (): LoginStore {
  // Oldest login first, as a Map keeps the order of insertion. 1 and '1' are different keys of a Map.
  const users = new Map<UserId, Map<string, Entry>>()
  let sweptAt = -Infinity

  /** The user's live records, oldest first. */
  function entries (userId: UserId, now: number): Entry[] {
    sweep(now)
    return [...users.get(userId)?.values() ?? []].filter(({ record }) => record.expiresAt > now)
  }

  function entry (userId: UserId, sid: string, now: number): Entry | undefined {
    sweep(now)
    const found = users.get(userId)?.get(sid)
    return found !== undefined && found.record.expiresAt > now ? found : undefined
  }

  function sweep (now: number): void {
    if (Math.abs(now - sweptAt) < SWEEP_EVERY) return
    sweptAt = now
    for (const [userId, logins] of users) {
      for (const [sid, { record }] of logins) if (record.expiresAt <= now) logins.delete(sid)
      if (logins.size === 0) users.delete(userId)
    }
  }

  /** Removes records; answers with their sids. */
  function remove (userId: UserId, ending: Entry[]): string[] {
    const logins = users.get(userId)
    for (const { record } of ending) logins?.delete(record.sid)
    if (logins?.size === 0) users.delete(userId)
    return ending.map(({ record }) => record.sid)
  }

  return {
    async create (record, { digest, maxLogins, replaces = [], now }) {
      const { userId, sid } = record
      sweep(now)
      for (const replaced of replaces) users.get(userId)?.delete(replaced)
      const logins = users.get(userId) ?? new Map<string, Entry>()
      users.set(userId, logins.set(sid, { record: { ...record }, tokens: firstToken(digest, now) }))
      return maxLogins === null ? [] : remove(userId, entries(userId, now).slice(0, -maxLogins))
    },

    async find (userId, sid, now) {
      const found = entry(userId, sid, now)
      return found === undefined ? null : { ...found.record }
    },

    async touch (userId, sid, { now, ...times }) {
      const found = entry(userId, sid, now)
      if (found !== undefined) moveForward(found.record, times)
    },

    async rotate (userId, sid, step) {
      const found = entry(userId, sid, step.now)
      if (found === undefined) return 'gone'
      const { verdict, state } = judge(found.tokens, step)
      if (verdict === 'reuse') {
        remove(userId, entries(userId, step.now).filter(({ record }) => record.remember))
        return verdict
      }
      found.tokens = state
      moveForward(found.record, { lastSeenAt: step.lastSeenAt, expiresAt: verdict === 'rotated' ? step.expiresAt : 0 })
      return verdict
    },

    async delete (userId, sid, now) {
      const found = entry(userId, sid, now)
      return found !== undefined && remove(userId, [found]).length > 0
    },

    async list (userId, now) {
      return entries(userId, now).map(({ record }) => ({ ...record }))
    },

    async deleteAll (userId, { except, now }) {
      return remove(userId, entries(userId, now).filter(({ record }) => record.sid !== except))
    }
  }
}

function moveForward (record: LoginRecord, { lastSeenAt, expiresAt }: Pick<LoginRecord, 'lastSeenAt' | 'expiresAt'>): void {
  record.lastSeenAt = Math.max(record.lastSeenAt, lastSeenAt)
  record.expiresAt = Math.max(record.expiresAt, expiresAt)
}
