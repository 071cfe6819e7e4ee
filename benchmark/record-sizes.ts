/*
 * What a login record takes up in each store: npx tsx --expose-gc benchmark/record-sizes.ts [logins]
 * Every login is remembered, has a user agent of 111 characters and has come back twice, so it keeps three digests: this is as
 * large as ordinary records become. Stores that are not there are left out. Redis is a process of its own.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { Redis } from 'ioredis'
import Database from 'libsql'
import mysql from 'mysql2/promise'
import type { RowDataPacket } from 'mysql2/promise'
import pg from 'pg'
import { memoryStore, redisStore, sqlStore } from '../src/index.js'
import type { LoginStore } from '../src/index.js'
import { isThere, servers } from '../test/support/servers.js'

const LOGINS = Number(process.argv[2] ?? 100_000)
const AGENT =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36'
const NOW = Date.now()
const DAY = 86_400_000
const [postgresThere, mariadbThere] = [await isThere('PostgreSQL'), await isThere('MariaDB')]
const table = `sizes_${process.pid}`
const digest = (text: string) => createHash('sha256').update(text).digest('base64url')

/** Signs everybody in and has them come back twice. */
async function fill (store: LoginStore, { perUser = 1, rotations = 2 } = {}): Promise<void> {
  await each(async (i) => {
    const [userId, sid] = [Math.floor(i / perUser) + 1_000_000, digest(`sid ${i}`).slice(0, 22)]
    const times = (now: number) => ({ lastSeenAt: now, expiresAt: now + 30 * DAY })
    const record = { area: 'session', userId, sid, createdAt: NOW, ...times(NOW), userAgent: AGENT, remember: true }
    await store.create(record, { digest: digest(`${i}.0`), maxLogins: null, now: NOW })
    for (let r = 1; r <= rotations; r++) {
      const now = NOW + r * DAY
      const tokens = { presented: digest(`${i}.${r - 1}`), next: digest(`${i}.${r}`) }
      await store.rotate(record, sid, { ...tokens, graceSeconds: 60, ...times(now), now })
    }
  })
}

async function each (work: (i: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: 16 }, async () => { while (next < LOGINS) await work(next++) }))
}

function say (store: string, bytes: number): void {
  console.log(`| ${store} | ${Math.round(bytes / LOGINS)} |`)
}

async function inMemory (): Promise<void> {
  const gc = globalThis.gc
  if (gc === undefined) return
  gc()
  const before = process.memoryUsage().heapUsed
  const store = memoryStore()
  await fill(store)
  gc()
  say(`memoryStore, Node.js ${process.version}`, process.memoryUsage().heapUsed - before)
  await store.list({ area: 'session', userId: 0 }, NOW)
}

/** Differences of used_memory, which counts everything: keys, hashes, tables. */
async function inRedis (): Promise<void> {
  const port = 20_000 + process.pid % 10_000
  const server = spawn(
    'redis-server',
    ['--port', String(port), '--save', '', '--appendonly', 'no'],
    { stdio: 'ignore' }
  )
  const failed = await Promise.race([once(server, 'error').then(() => true), once(server, 'spawn').then(() => false)])
    .catch(() => true)
  if (failed) return
  const client = new Redis({ port, retryStrategy: () => 100 })
  client.on('error', () => {})
  const used = async () => Number(/used_memory:(\d+)/.exec(await client.info('memory'))![1])
  const version = async () => /redis_version:(\S+)/.exec(await client.info('server'))![1]
  for (const [perUser, packed] of [[1, 64], [3, 64], [1, 1024], [3, 1024]] as const) {
    await client.flushall()
    await client.config('SET', 'hash-max-listpack-value', packed)
    const before = await used()
    await fill(redisStore(client), { perUser })
    const bytes = await used() - before
    say(`redisStore, Redis ${await version()}, ${perUser} per user, hash-max-listpack-value ${packed}`, bytes)
    const one = await client.memory('USAGE', 'login:{["session",1000001]}')
    const gigabytes = (bytes / LOGINS / 10).toFixed(1)
    console.log(`  100 million logins: ${gigabytes} GB; MEMORY USAGE of one user's key: ${one} bytes`)
  }
  client.disconnect()
  server.kill()
  await once(server, 'exit')
}

async function inPostgres (): Promise<void> {
  if (!postgresThere) return
  const pool = new pg.Pool({ connectionString: servers.PostgreSQL, max: 16 })
  const store = sqlStore({ dialect: 'postgres', table, query: (text, params) => pool.query(text, params) })
  const size = async () =>
    Number((await pool.query('SELECT pg_total_relation_size($1) AS bytes', [table])).rows[0].bytes)
  const { rows: [{ version }] } = await pool.query("SELECT current_setting('server_version') AS version")
  await store.createTable()
  await fill(store, { rotations: 0 })
  say(`sqlStore, PostgreSQL ${version}, before the first return`, await size())
  await pool.query(`TRUNCATE ${table}`)
  await fill(store)
  say(`sqlStore, PostgreSQL ${version}, as updates leave it`, await size())
  await pool.query(`VACUUM FULL ${table}`)
  say(`sqlStore, PostgreSQL ${version}, after VACUUM FULL`, await size())
  await pool.query(`DROP TABLE ${table}`)
  await pool.end()
}

async function inMariadb (): Promise<void> {
  if (!mariadbThere) return
  const pool = mysql.createPool({ uri: servers.MariaDB, connectionLimit: 16 })
  const store = sqlStore({ dialect: 'mysql', table, query: (text, params) => pool.execute(text, params) })
  await store.createTable()
  await fill(store)
  await pool.query(`ANALYZE TABLE ${table}`)
  const [[row]] = await pool.query<RowDataPacket[]>(
    'SELECT data_length + index_length AS bytes, VERSION() AS version FROM information_schema.tables ' +
    'WHERE table_name = ?',
    [table]
  )
  say(`sqlStore, MariaDB ${row!.version}`, Number(row!.bytes))
  await pool.query(`DROP TABLE ${table}`)
  await pool.end()
}

async function inSqlite (): Promise<void> {
  const dir = mkdtempSync(`${tmpdir()}/record-sizes-`)
  const db = new Database(`${dir}/logins.db`)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = OFF')
  const query = (text: string, params: unknown[] = []) => db.prepare(text).all(params) as Array<Record<string, unknown>>
  const store = sqlStore({ dialect: 'sqlite', table, query })
  await store.createTable()
  await fill(store)
  const [row] = query(
    'SELECT page_count * page_size AS bytes, sqlite_version() AS version FROM pragma_page_count, pragma_page_size'
  )
  say(`sqlStore, SQLite ${row!.version}`, Number(row!.bytes))
  db.close()
  rmSync(dir, { recursive: true })
}

console.log(`| ${LOGINS} logins, in | bytes each |\n|---|---|`)
for (const measure of [inMemory, inRedis, inSqlite, inPostgres, inMariadb]) await measure()
