import type { UserId } from '../tokens/claims.js'

/** Whose a login is. A user of one area is nobody in another, also where the ids are equal. */
export interface LoginOwner {
  /** Name of the area, which is that of its session cookie: printable ASCII, at most 255 characters. */
  readonly area: string
  /** Ids keep their type: 1 and `'1'` are different users, and any string may be one. */
  readonly userId: UserId
}

/** A login as `login.list()` shows it. Times in milliseconds since 1970. */
export interface LoginRecord {
  /** The area the user signed in to. */
  area: string
  /** The login's id, never used before: letters, digits, `-` and `_`, 1 to 64 of them. A store is asked for no other. */
  sid: string
  userId: UserId
  /** When the user signed in. */
  createdAt: number
  /** When the login was last used, to the minute. */
  lastSeenAt: number
  /** When the login ends if it is not used before; from this millisecond on it does not exist. */
  expiresAt: number
  /** User-Agent at login, at most 512 characters; `null` where there was none. */
  userAgent: string | null
  /** Whether the login has a remember cookie. */
  remember: boolean
}

/** What a store did with a presented remember token; see `LoginStore.rotate`. */
export type Rotation = 'rotated' | 'grace' | 'reuse' | 'gone'

/**
 * Server-side login records. Each method is one atomic step, also for several processes on one store, and rejects where it
 * cannot tell. `now` is the caller's clock, in milliseconds since 1970; whether a record has expired is judged by it alone.
 * Records whose `expiresAt` is not after `now` do not exist for any method. Tokens arrive as digests only: 43 characters,
 * SHA-256 in base64url. Records belong to an area and a user: no method sees, counts or ends those of another owner.
 */
export interface LoginStore {
  /**
   * Adds a record. `digest` is that of the first remember token, `null` without one. With `maxLogins` (1 or more) the user's
   * oldest logins beyond that number end in the same step; answers with their sids. Logins that begin at the same moment
   * count in the order in which they arrive. A store that needs two steps may have more for that moment, never in the end.
   * Logins of the same user that this one replaces (those of the same browser) end before it counts and are not among the
   * answers.
   */
  create (record: LoginRecord, options: {
    digest: string | null, maxLogins: number | null, replaces?: readonly string[], now: number
  }): Promise<string[]>
  /** The record, or `null`. */
  find (owner: LoginOwner, sid: string, now: number): Promise<LoginRecord | null>
  /** Moves `lastSeenAt` and `expiresAt` forward, never back; does nothing where there is no record. */
  touch (owner: LoginOwner, sid: string, times: { lastSeenAt: number, expiresAt: number, now: number }): Promise<void>
  /**
   * Judges a presented remember token by its digest, in this order:
   * - no record → `'gone'`;
   * - the current one → it becomes the previous one, `next` the current: `'rotated'`;
   * - the previous one, no longer than `graceSeconds` after the current one was put in place → nothing changes: `'grace'`
   *   (parallel requests);
   * - the previous one later → `next` replaces the current one, the previous one stays, and the grace begins again:
   *   `'rotated'` (its holder never got the current one, or is a thief); what was replaced this way is never accepted again;
   * - one that was the previous one until no longer than `graceSeconds` ago → nothing changes: `'grace'` (a request that left
   *   the browser before two others came back). At most the 16 latest of these are kept, and only within the grace;
   * - anything else → `'reuse'`, and all records of the user with `remember` are gone after it.
   *
   * With `next: null` (a response that can carry no cookie) nothing is replaced: `'grace'` instead of `'rotated'`; `'reuse'`
   * and `'gone'` as ever. `'rotated'` also moves `lastSeenAt` and `expiresAt` forward; `'grace'` moves `lastSeenAt`.
   */
  rotate (owner: LoginOwner, sid: string, step: {
    presented: string, next: string | null, graceSeconds: number, lastSeenAt: number, expiresAt: number, now: number
  }): Promise<Rotation>
  /** Removes the record; whether there was one. Of several who remove one record, one is told `true`. */
  delete (owner: LoginOwner, sid: string, now: number): Promise<boolean>
  /** All records of the user, in any order. */
  list (owner: LoginOwner, now: number): Promise<LoginRecord[]>
  /** Removes all records of the user but `except` (a sid); answers with the sids of those it removed. */
  deleteAll (owner: LoginOwner, options: { except: string | null, now: number }): Promise<string[]>
}
