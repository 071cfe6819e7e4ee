/** What goes into a query beside its text. */
export type SqlParam = string | number | null

/** A row, by column name. */
export type SqlRow = Record<string, unknown>

export type SqlDialect = 'postgres' | 'sqlite' | 'mysql'

interface Dialect {
  /** The statements that make the table and its indexes, if they are not there yet. */
  schema (table: string): string[]
  /** Ends a statement that changes records; answers then tell which. */
  returning: string
  /** The larger of two numbers. */
  greatest: string
  /** One statement that removes expired records; its parameter is the time. */
  deleteExpired (table: string, batch: number): string
}

/*
 * `id` is the order in which logins began, for maxLogins; the index on the user serves all other look-ups, the one on expires_at
 * deleteExpired(). `user_key` names the area and the user, `owner` as well where that is a digest. Times are milliseconds since 1970, digests SHA-256 in base64url. The text is ASCII, but for the user agent.
 */
const columns = (ascii: string, unicode: string) => `
  user_key VARCHAR(255)${ascii} NOT NULL,
  area VARCHAR(255)${ascii} NOT NULL,
  owner TEXT${ascii},
  sid VARCHAR(64)${ascii} NOT NULL,
  created_at BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  user_agent VARCHAR(512)${unicode},
  remember SMALLINT NOT NULL,
  current_digest CHAR(43)${ascii},
  previous_digest CHAR(43)${ascii},
  replaced_at BIGINT NOT NULL,
  retired VARCHAR(1000)${ascii} NOT NULL,`

const expiryIndex = (table: string) => `CREATE INDEX IF NOT EXISTS ${table}_expires_at ON ${table} (expires_at)`

const deleteBatch = (table: string, batch: number) => {
  const some = `SELECT user_key, sid FROM ${table} WHERE expires_at <= ? ORDER BY expires_at LIMIT ${batch}`
  return `DELETE FROM ${table} WHERE (user_key, sid) IN (${some}) RETURNING sid`
}

export const dialects: Record<SqlDialect, Dialect> = {
  postgres: {
    schema: (table) => [
      `CREATE TABLE IF NOT EXISTS ${table} (
  id BIGINT GENERATED ALWAYS AS IDENTITY,${columns(' COLLATE "C"', '')}
  PRIMARY KEY (user_key, sid)
)`,
      expiryIndex(table)
    ],
    returning: ' RETURNING sid',
    greatest: 'GREATEST',
    deleteExpired: deleteBatch
  },
  sqlite: {
    schema: (table) => [
      `CREATE TABLE IF NOT EXISTS ${table} (
  id INTEGER PRIMARY KEY,${columns('', '')}
  UNIQUE (user_key, sid)
)`,
      expiryIndex(table)
    ],
    returning: ' RETURNING sid',
    greatest: 'MAX',
    deleteExpired: deleteBatch
  },
  mysql: {
    schema: (table) => [
      `CREATE TABLE IF NOT EXISTS ${table} (
  id BIGINT AUTO_INCREMENT PRIMARY KEY,${columns(' CHARACTER SET ascii COLLATE ascii_bin', ' CHARACTER SET utf8mb4')}
  UNIQUE KEY ${table}_user (user_key, sid),
  KEY ${table}_expires_at (expires_at)
) ENGINE = InnoDB`
    ],
    returning: '',
    greatest: 'GREATEST',
    deleteExpired: (table, batch) => `DELETE FROM ${table} WHERE expires_at <= ? ORDER BY expires_at LIMIT ${batch}`
  }
}

/** The rows in what a driver answers: `{ rows }` of pg, `[rows, fields]` of mysql2, or just the rows. */
export function rowsIn (answer: unknown): SqlRow[] {
  const rows = Array.isArray(answer) ? (Array.isArray(answer[0]) ? answer[0] : answer) : (answer as { rows?: unknown } | null | undefined)?.rows
  if (!Array.isArray(rows)) throw new TypeError('query() of sqlStore must resolve to rows, also for statements that end in RETURNING')
  return rows as SqlRow[]
}

/** How many rows a statement changed: MySQL counts them, the others return them. */
export function countIn (answer: unknown, dialect: SqlDialect): number {
  if (dialect !== 'mysql') return rowsIn(answer).length
  const header = (Array.isArray(answer) ? answer[0] : answer) as { affectedRows?: unknown } | null | undefined
  if (typeof header?.affectedRows !== 'number') throw new TypeError('query() of sqlStore must resolve to what the driver says, affectedRows included')
  return header.affectedRows
}

/** `?` in the style of the dialect. */
export function withPlaceholders (text: string, dialect: SqlDialect): string {
  let count = 0
  return dialect === 'postgres' ? text.replaceAll('?', () => `$${++count}`) : text
}

/** Whether the database gave a statement up for another one's sake; nothing has changed then, and it may be sent again. */
export function isConflict (error: unknown): boolean {
  const { code } = Object(error) as { code?: unknown }
  return code === 'ER_LOCK_DEADLOCK' || code === 'ER_CHECKREAD' || code === '40001' || code === '40P01'
}
