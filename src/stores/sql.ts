import { randomBytes } from 'node:crypto'
import { InvalidOptionsError } from '../errors.js'
import type { MaybePromise } from '../http/promises.js'
import { firstToken, judge } from './rotation.js'
import { countIn, dialects, isConflict, rowsIn, withPlaceholders } from './sql-dialects.js'
import type { SqlDialect, SqlParam } from './sql-dialects.js'
import { recordColumns, recordOf, tokenColumns, tokensOf, userKey } from './sql-rows.js'
import type { LoginStore } from './store.js'

/** Options of `sqlStore`. */
export interface SqlStoreOptions {
  /**
   * Runs one statement, with `$1` for `'postgres'` and `?` for the others, and answers as the driver does: `{ rows }` (pg),
   * `[rows, fields]` (mysql2), or the rows. Statements that end in RETURNING have rows as well. Each call is a transaction of
   * its own, on the primary; any connection of a pool will do.
   */
  query: (text: string, params: SqlParam[]) => MaybePromise<unknown>
  /** `'mysql'` is MariaDB too. SQLite from 3.35; where several processes share its file, each connection needs a busy timeout. */
  dialect: SqlDialect
  /** Name of the table: letters, digits and underscores, at most 48. @default 'logins' */
  table?: string | undefined
}

/** Login records in a database. */
export interface SqlStore extends LoginStore {
  /** What `createTable()` runs, for a migration. */
  readonly schema: string
  /** Makes the table and its indexes, unless they are there. */
  createTable (): Promise<void>
  /**
   * Removes what has expired, `batch` records a statement (default 1000), and answers with how many there were. Run it now and
   * then, say every hour; expired records count as gone without it, they only take up room. `now` in milliseconds since 1970.
   */
  deleteExpired (options?: { batch?: number | undefined, now?: number | undefined }): Promise<number>
}

const ALIVE = 'user_key = ? AND sid = ? AND expires_at > ?'
/** Times a statement is sent that the database gave up for another one's sake. */
const ATTEMPTS = 10

/**
 * Login records in PostgreSQL, SQLite, MySQL or MariaDB. Every method does its work in one statement that either changes all or
 * nothing; those that read first say in that statement what they have read, and begin again where it has changed. With
 * `maxLogins` a login is added first and the oldest end right after it, so that however many begin at once the latest stay.
 * @throws FST_LOGIN_INVALID_OPTIONS for a dialect or table name that cannot be; the methods reject with what `query` throws
 */
export function sqlStore ({ query, dialect, table = 'logins' }: SqlStoreOptions): SqlStore {
  if (!Object.hasOwn(dialects, dialect)) throw new InvalidOptionsError('sqlStore() knows the dialects postgres, sqlite and mysql')
  if (typeof query !== 'function') throw new InvalidOptionsError('sqlStore() needs query(text, params)')
  if (!/^[a-z_]\w{0,47}$/i.test(table)) throw new InvalidOptionsError('table of sqlStore() is a name of letters, digits and underscores, at most 48')
  const { schema, returning, greatest, deleteExpired } = dialects[dialect]

  async function run (text: string, params: SqlParam[] = [], attempt = 1): Promise<unknown> {
    try {
      return await query(withPlaceholders(text, dialect), params)
    } catch (error) {
      if (attempt === ATTEMPTS || !isConflict(error)) throw error
      return await run(text, params, attempt + 1)
    }
  }

  const select = async (columns: string, where: string, params: SqlParam[]) =>
    rowsIn(await run(`SELECT ${columns} FROM ${table} WHERE ${where}`, params))
  const change = async (text: string, params: SqlParam[]) => countIn(await run(text + returning, params), dialect)

  /** Ends records at once; answers with their sids. */
  async function end (key: string, where: string, params: SqlParam[]): Promise<string[]> {
    const among = `user_key = ? AND ${where}`
    if (returning !== '') return sidsOf(await run(`DELETE FROM ${table} WHERE ${among}${returning}`, [key, ...params]))
    // MySQL does not say what it deleted. So the records expire under a mark first, all in one statement, and leave then.
    const mark = randomBytes(32).toString('base64url')
    if (await change(`UPDATE ${table} SET expires_at = 0, current_digest = ? WHERE ${among}`, [mark, key, ...params]) === 0) return []
    const ended = await select('sid', 'user_key = ? AND current_digest = ?', [key, mark])
    await run(`DELETE FROM ${table} WHERE user_key = ? AND current_digest = ?`, [key, mark])
    return sidsOf(ended)
  }

  /** Ends all but the latest `maxLogins`. What has `maxLogins` younger ones beside it when this reads ends, whoever adds more. */
  async function makeRoom (key: string, maxLogins: number, now: number): Promise<string[]> {
    const [latest] = await select('id', `user_key = ? AND expires_at > ? ORDER BY id DESC LIMIT 1 OFFSET ${Math.floor(maxLogins)}`, [key, now])
    return latest === undefined ? [] : await end(key, 'expires_at > ? AND id <= ?', [now, Number(latest.id)])
  }

  const store: SqlStore = {
    schema: schema(table).join(';\n') + ';\n',

    async createTable () {
      for (const statement of schema(table)) {
        // PostgreSQL lets one of two processes that start at once fail, although IF NOT EXISTS; the table is there then.
        await run(statement).catch(() => run(statement))
      }
    },

    async create (record, { digest, maxLogins, replaces = [], now }) {
      const values = { ...recordColumns(record), ...tokenColumns(firstToken(digest, now)) }
      const names = Object.keys(values)
      await change(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`, Object.values(values))
      try {
        for (const replaced of replaces) await store.delete(record, replaced, now)
        return maxLogins === null ? [] : await makeRoom(values.user_key, maxLogins, Math.floor(now))
      } catch (error) {
        // A login that fails leaves no record behind.
        await store.delete(record, record.sid, now).catch(() => {})
        throw error
      }
    },

    async find (owner, sid, now) {
      const [row] = await select('*', ALIVE, [userKey(owner), sid, Math.floor(now)])
      return row === undefined ? null : recordOf(owner, row)
    },

    async touch (owner, sid, { lastSeenAt, expiresAt, now }) {
      await change(`UPDATE ${table} SET last_seen_at = ${greatest}(last_seen_at, ?), expires_at = ${greatest}(expires_at, ?) WHERE ${ALIVE}`,
        [Math.floor(lastSeenAt), Math.floor(expiresAt), userKey(owner), sid, Math.floor(now)])
    },

    async rotate (owner, sid, step) {
      const at = [userKey(owner), sid, Math.floor(step.now)] as const
      const [lastSeenAt, expiresAt] = [Math.floor(step.lastSeenAt), Math.floor(step.expiresAt)]
      for (;;) {
        const [row] = await select('current_digest, previous_digest, replaced_at, retired', ALIVE, [...at])
        if (row === undefined) return 'gone'
        const before = tokensOf(row)
        const { verdict, state } = judge(before, step)
        if (verdict === 'reuse') {
          // Once dead, a token stays dead, so nothing can have made this judgement wrong since.
          await change(`DELETE FROM ${table} WHERE user_key = ? AND remember = 1`, [at[0]])
          return verdict
        }
        if (verdict === 'grace') {
          await change(`UPDATE ${table} SET last_seen_at = ? WHERE ${ALIVE} AND last_seen_at < ?`, [lastSeenAt, ...at, lastSeenAt])
          return verdict
        }
        const values = tokenColumns(state)
        const won = await change(
          `UPDATE ${table} SET ${Object.keys(values).map((name) => `${name} = ?, `).join('')}` +
          `last_seen_at = ${greatest}(last_seen_at, ?), expires_at = ${greatest}(expires_at, ?) WHERE ${ALIVE} AND current_digest = ?`,
          [...Object.values(values), lastSeenAt, expiresAt, ...at, before.current])
        if (won > 0) return verdict
      }
    },

    async delete (owner, sid, now) {
      return await change(`DELETE FROM ${table} WHERE ${ALIVE}`, [userKey(owner), sid, Math.floor(now)]) > 0
    },

    async list (owner, now) {
      const rows = await select('*', 'user_key = ? AND expires_at > ?', [userKey(owner), Math.floor(now)])
      return rows.map((row) => recordOf(owner, row))
    },

    async deleteAll (owner, { except, now }) {
      return await end(userKey(owner), 'expires_at > ? AND sid <> ?', [Math.floor(now), except ?? ''])
    },

    async deleteExpired ({ batch = 1000, now = Date.now() } = {}) {
      if (!Number.isSafeInteger(batch) || batch < 1) throw new InvalidOptionsError('batch of deleteExpired() is a whole number from 1')
      let [total, count] = [0, batch]
      while (count >= batch) {
        count = countIn(await run(deleteExpired(table, batch), [Math.floor(now)]), dialect)
        total += count
      }
      return total
    }
  }
  return store
}

function sidsOf (answer: unknown): string[] {
  return rowsIn(answer).map(({ sid }) => String(sid))
}
