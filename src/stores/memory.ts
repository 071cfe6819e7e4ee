import { ownerKey } from './owner-key.js'
import { firstToken, judge } from './rotation.js'
import type { TokenState } from './rotation.js'
import type { LoginOwner, LoginRecord, LoginStore } from './store.js'

/** Milliseconds between two looks through everything for what has expired. */
const SWEEP_EVERY = 60_000

interface Entry { record: LoginRecord, tokens: TokenState }

/**
 * Login records in this process: for one process, tests and development. They end with the process. What has expired leaves
 * at the next call a minute later or more; no timer is involved, so nothing keeps the process alive.
 */
export function memoryStore (): LoginStore {
  // By owner; oldest login first, as a Map keeps the order of insertion.
  const users = new Map<string, Map<string, Entry>>()
  let sweptAt = -Infinity

  /** The user's live records, oldest first. */
  function entries (owner: LoginOwner, now: number): Entry[] {
    sweep(now)
    return [...users.get(ownerKey(owner))?.values() ?? []].filter(({ record }) => record.expiresAt > now)
  }

  function entry (owner: LoginOwner, sid: string, now: number): Entry | undefined {
    sweep(now)
    const found = users.get(ownerKey(owner))?.get(sid)
    return found !== undefined && found.record.expiresAt > now ? found : undefined
  }

  function sweep (now: number): void {
    if (Math.abs(now - sweptAt) < SWEEP_EVERY) return
    sweptAt = now
    for (const [key, logins] of users) {
      for (const [sid, { record }] of logins) if (record.expiresAt <= now) logins.delete(sid)
      if (logins.size === 0) users.delete(key)
    }
  }

  /** Removes records; answers with their sids. */
  function remove (owner: LoginOwner, ending: Entry[]): string[] {
    const key = ownerKey(owner)
    const logins = users.get(key)
    for (const { record } of ending) logins?.delete(record.sid)
    if (logins?.size === 0) users.delete(key)
    return ending.map(({ record }) => record.sid)
  }

  return {
    async create (record, { digest, maxLogins, replaces = [], now }) {
      const key = ownerKey(record)
      sweep(now)
      for (const replaced of replaces) users.get(key)?.delete(replaced)
      const logins = users.get(key) ?? new Map<string, Entry>()
      users.set(key, logins.set(record.sid, { record: { ...record }, tokens: firstToken(digest, now) }))
      return maxLogins === null ? [] : remove(record, entries(record, now).slice(0, -maxLogins))
    },

    async find (owner, sid, now) {
      const found = entry(owner, sid, now)
      return found === undefined ? null : { ...found.record }
    },

    async touch (owner, sid, { now, ...times }) {
      const found = entry(owner, sid, now)
      if (found !== undefined) moveForward(found.record, times)
    },

    async rotate (owner, sid, step) {
      const found = entry(owner, sid, step.now)
      if (found === undefined) return 'gone'
      const { verdict, state } = judge(found.tokens, step)
      if (verdict === 'reuse') {
        remove(owner, entries(owner, step.now).filter(({ record }) => record.remember))
        return verdict
      }
      found.tokens = state
      moveForward(found.record, { lastSeenAt: step.lastSeenAt, expiresAt: verdict === 'rotated' ? step.expiresAt : 0 })
      return verdict
    },

    async delete (owner, sid, now) {
      const found = entry(owner, sid, now)
      return found !== undefined && remove(owner, [found]).length > 0
    },

    async list (owner, now) {
      return entries(owner, now).map(({ record }) => ({ ...record }))
    },

    async deleteAll (owner, { except, now }) {
      return remove(owner, entries(owner, now).filter(({ record }) => record.sid !== except))
    }
  }
}

function moveForward (record: LoginRecord, { lastSeenAt, expiresAt }: Pick<LoginRecord, 'lastSeenAt' | 'expiresAt'>): void {
  record.lastSeenAt = Math.max(record.lastSeenAt, lastSeenAt)
  record.expiresAt = Math.max(record.expiresAt, expiresAt)
}
