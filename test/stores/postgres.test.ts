import pg from 'pg'
import t from 'tap'
import { isThere, servers } from '../support/servers.js'
import { newUser, NOW, ownerOf } from './contract/fixtures.js'
import { newStore, sqlCases } from './sql-cases.js'

t.test('on PostgreSQL', { skip: await isThere('PostgreSQL') ? false : 'no PostgreSQL' }, async (t) => {
  const pool = new pg.Pool({ connectionString: servers.PostgreSQL, max: 10 })
  t.teardown(() => pool.end())
  const database = {
    dialect: 'postgres', query: (text: string, params: unknown[]) => pool.query(text, params)
  } as const

  sqlCases(t, database)

  t.test('on PostgreSQL both look-ups use an index', async (t) => {
    const { store, table } = await newStore(t, database)
    const client = await pool.connect()
    try {
      // Without rows the planner would read the table from end to end.
      await client.query('SET enable_seqscan = off')
      const plan = async (where: string) =>
        JSON.stringify((await client.query(`EXPLAIN SELECT * FROM ${table} WHERE ${where}`)).rows)
      t.match(await plan("user_key = 'ann' AND sid = 'x' AND expires_at > 1"), `${table}_pkey`)
      t.match(await plan("user_key = 'ann' AND expires_at > 1"), `${table}_pkey`)
      t.match(await plan('expires_at <= 1'), `${table}_expires_at`)
    } finally {
      await client.query('RESET enable_seqscan')
      client.release()
    }
    t.strictSame(await store.list(ownerOf(newUser()), NOW), [])
  })
})
