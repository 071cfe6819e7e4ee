import mysql from 'mysql2/promise'
import type { RowDataPacket } from 'mysql2/promise'
import t from 'tap'
import { isThere, servers } from '../support/servers.js'
import { create, newRecord, newUser, NOW } from './contract/fixtures.js'
import { newStore, sqlCases } from './sql-cases.js'

t.test('on MariaDB', { skip: await isThere('MariaDB') ? false : 'no MariaDB' }, async (t) => {
  const pool = mysql.createPool({ uri: servers.MariaDB, connectionLimit: 10 })
  t.teardown(() => pool.end())

  t.test('with prepared statements', async (t) => {
    sqlCases(t, { dialect: 'mysql', query: (text, params) => pool.execute(text, params) })
  })

  t.test('with plain statements', async (t) => {
    sqlCases(t, { dialect: 'mysql', query: (text, params) => pool.query(text, params) })
  })

  t.test('on MariaDB both look-ups use an index', async (t) => {
    const { store, table } = await newStore(t, {
      dialect: 'mysql', query: (text, params) => pool.execute(text, params)
    })
    for (let i = 0; i < 50; i++) await create(store, newRecord(newUser()))
    const keyFor = async (where: string) =>
      (await pool.query<RowDataPacket[]>(`EXPLAIN SELECT * FROM ${table} WHERE ${where}`))[0][0]!.key
    t.equal(
      await keyFor("user_key = 'ann' AND sid = 'x' AND expires_at > 1"),
      null,
      'a row the unique index shows is not there'
    )
    t.equal(await keyFor(`user_key = 'ann' AND expires_at > ${NOW}`), `${table}_user`)
    t.equal(await keyFor('expires_at <= 1'), `${table}_expires_at`)
  })
})
