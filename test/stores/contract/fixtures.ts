import { createHash, randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import type { LoginOwner, LoginRecord, LoginStore, Rotation, UserId } from '../../../src/index.js'
import { START } from '../../support/clock.js'

/** One part of the contract: tests of a store that may hold anything else beside what the test puts in. */
export type Part = (t: Test, store: LoginStore) => void | Promise<void>

export const NOW = START
export const HOUR = 3_600_000
export const DAY = 24 * HOUR
export const GRACE = 25

export const newSid = () => randomBytes(16).toString('base64url')
/** The area of all records but where a test says another. */
export const AREA = 'session'

export const ownerOf = (userId: UserId, area = AREA): LoginOwner => ({ area, userId })
export const newUser = () => `user ${newSid()}`
export const digestOf = (token: string) => createHash('sha256').update(token).digest('base64url')

/** A record that ends in an hour; nothing in it is the same twice. */
export function newRecord (userId: UserId, changes: Partial<LoginRecord> = {}): LoginRecord {
  return { area: AREA, sid: newSid(), userId, createdAt: NOW, lastSeenAt: NOW, expiresAt: NOW + HOUR, userAgent: 'Lynx/2.9', remember: false, ...changes }
}

export function create (
  store: LoginStore, record: LoginRecord,
  { digest = null as string | null, maxLogins = null as number | null, replaces = [] as string[], now = NOW } = {}
) {
  return store.create(record, { digest, maxLogins, replaces, now })
}

export async function sidsOf (store: LoginStore, userId: UserId, now = NOW): Promise<string[]> {
  return (await store.list(ownerOf(userId), now)).map(({ sid }) => sid).sort()
}

/** A login remembered for 90 days; tokens are named, and presented after so many seconds of its life. */
export async function remembered (store: LoginStore, first = 'first', userId: UserId = newUser()) {
  const record = newRecord(userId, { remember: true, expiresAt: NOW + 90 * DAY })
  await create(store, record, { digest: digestOf(first) })
  return {
    record,
    userId,
    owner: record as LoginOwner,
    find: (seconds = 0) => store.find(record, record.sid, NOW + seconds * 1000),
    present (token: string, next: string | null, seconds: number, times: Partial<LoginRecord> = {}): Promise<Rotation> {
      return store.rotate(record, record.sid, {
        presented: digestOf(token),
        next: next === null ? null : digestOf(next),
        graceSeconds: GRACE,
        lastSeenAt: times.lastSeenAt ?? NOW,
        expiresAt: times.expiresAt ?? NOW,
        now: NOW + Math.round(seconds * 1000)
      })
    }
  }
}
