import { InvalidOptionsError } from '../errors.js'
import { CREATE, DELETE, DELETE_ALL, LIST, ROTATE, TOUCH } from './redis-scripts.js'
import type { LoginOwner, LoginRecord, LoginStore } from './store.js'
import { ownerKey, storable } from './owner-key.js'

/** What is called of an ioredis 5 `Redis` or `Cluster`. */
export interface IoredisClient {
  hget (key: string, field: string): Promise<string | null>
  eval (script: string, numberOfKeys: number, ...args: string[]): Promise<unknown>
}

/** What is called of a node-redis 5 client, pool or cluster; it must be connected by the application. */
export interface NodeRedisClient {
  hGet (key: string, field: string): Promise<string | null | undefined>
  eval (script: string, options: { keys: string[], arguments: string[] }): Promise<unknown>
}

/** Options of `redisStore`. */
export interface RedisStoreOptions {
  /** What all keys begin with; applications on one Redis need different ones, their areas do not. @default 'login:' */
  prefix?: string | undefined
}

/**
 * Login records in Redis 6.2 or later, also in Redis Cluster. Every method is one round trip and one atomic step. A user's
 * records are one hash under `<prefix>{<area and user>}`, which Redis removes once they have expired. Reads must go to the primary: a
 * replica that lags would not know a login that has just begun. A Redis that evicts keys for want of memory ends logins: let it
 * have `maxmemory-policy noeviction`.
 * @throws FST_LOGIN_INVALID_OPTIONS where the client is neither an ioredis nor a node-redis one; the methods reject with what
 * the client rejects with
 */
export function redisStore (client: IoredisClient | NodeRedisClient, { prefix = 'login:' }: RedisStoreOptions = {}): LoginStore {
  const { get, run } = adapt(client)
  const keyOf = (owner: LoginOwner) => `${prefix}{${ownerKey(owner)}}`

  return {
    async create (record, { digest, maxLogins, replaces = [], now }) {
      const value = encode(record, digest, now)
      const max = maxLogins === null ? '' : String(maxLogins)
      return await run(CREATE, keyOf(record), [ms(now), record.sid, value, max, ...replaces]) as string[]
    },

    async find (owner, sid, now) {
      const value = await get(keyOf(owner), sid)
      return value === null ? null : live(decode(owner, sid, value), now)
    },

    async touch (owner, sid, { lastSeenAt, expiresAt, now }) {
      await run(TOUCH, keyOf(owner), [ms(now), sid, ms(lastSeenAt), ms(expiresAt)])
    },

    async rotate (owner, sid, { presented, next, graceSeconds, lastSeenAt, expiresAt, now }) {
      const step = [presented, next ?? '', ms(graceSeconds * 1000), ms(lastSeenAt), ms(expiresAt)]
      return await run(ROTATE, keyOf(owner), [ms(now), sid, ...step]) as 'rotated' | 'grace' | 'reuse' | 'gone'
    },

    async delete (owner, sid, now) {
      return await run(DELETE, keyOf(owner), [ms(now), sid]) === 1
    },

    async list (owner, now) {
      const flat = await run(LIST, keyOf(owner), []) as string[]
      const records: LoginRecord[] = []
      for (let i = 0; i < flat.length; i += 2) {
        const record = live(decode(owner, flat[i]!, flat[i + 1]!), now)
        if (record !== null) records.push(record)
      }
      return records
    },

    async deleteAll (owner, { except, now }) {
      return await run(DELETE_ALL, keyOf(owner), [ms(now), except ?? '']) as string[]
    }
  }
}

/** One call each for both kinds of client. */
function adapt (client: IoredisClient | NodeRedisClient) {
  if ('hGet' in client) {
    return {
      get: async (key: string, field: string) => await client.hGet(key, field) ?? null,
      run: (script: string, key: string, args: string[]) => client.eval(script, { keys: [key], arguments: args })
    }
  }
  if ('hget' in client) {
    return {
      get: (key: string, field: string) => client.hget(key, field),
      run: (script: string, key: string, args: string[]) => client.eval(script, 1, key, ...args)
    }
  }
  throw new InvalidOptionsError('redisStore() needs a client of ioredis or node-redis (package redis), and got neither')
}

/** Scripts count in whole milliseconds. */
function ms (time: number): string {
  return String(Math.floor(time))
}

/** The layout is described in redis-scripts.ts. */
function encode ({ createdAt, lastSeenAt, expiresAt, remember, userAgent }: LoginRecord, digest: string | null, now: number): string {
  const times = [createdAt, lastSeenAt, expiresAt].map(Math.floor)
  return JSON.stringify([...times, remember ? 1 : 0, 0, Math.floor(now), digest, null, '', userAgent === null ? null : storable(userAgent)])
}

function decode ({ area, userId }: LoginOwner, sid: string, value: string): LoginRecord {
  const fields = JSON.parse(value) as [number, number, number, 0 | 1, number, number, string | null, string | null, string, string | null]
  const [createdAt, lastSeenAt, expiresAt, remember, , , , , , userAgent] = fields
  return { area, sid, userId, createdAt, lastSeenAt, expiresAt, userAgent, remember: remember === 1 }
}

function live (record: LoginRecord, now: number): LoginRecord | null {
  return record.expiresAt > now ? record : null
}
