import Database from 'libsql'
import t from 'tap'
import { newRecord, newUser, NOW } from './contract/fixtures.js'
import { newStore, sqlCases } from './sql-cases.js'
import { sqlStore } from '../../src/index.js'

function open (path: string) {
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = NORMAL')
  return { db, dialect: 'sqlite', query: (text: string, params: unknown[]) => db.prepare(text).all(params) } as const
}

t.test('in memory', (t) => {
  const database = open(':memory:')
  t.teardown(() => database.db.close())
  sqlCases(t, database)
  t.end()
})

t.test('in a file that two connections share', async (t) => {
  const path = `${t.testdir()}/logins.db`
  const [one, other] = [open(path), open(path)]
  t.teardown(() => { one.db.close(); other.db.close() })
  sqlCases(t, {
    dialect: 'sqlite', query: async (text, params) => (Math.random() < 0.5 ? one : other).query(text, params)
  })

  t.test('what one connection wrote, the other reads', async (t) => {
    const { store, table } = await newStore(t, one)
    const record = newRecord(newUser())
    await store.create(record, { digest: null, maxLogins: null, now: NOW })
    t.strictSame(await sqlStore({ ...other, table }).find(record, record.sid, NOW), record)
  })
})

t.test('on SQLite both look-ups use an index', async (t) => {
  const database = open(':memory:')
  const table = 'devices'
  await sqlStore({ ...database, table }).createTable()
  const plan = (where: string) =>
    JSON.stringify(database.query(`EXPLAIN QUERY PLAN SELECT * FROM ${table} WHERE ${where}`, []))
  t.match(plan("user_key = 'ann' AND sid = 'x' AND expires_at > 1"), '(user_key=? AND sid=?)')
  t.match(plan("user_key = 'ann' AND expires_at > 1"), '(user_key=?)')
  t.match(plan('expires_at <= 1'), `${table}_expires_at`)
})
