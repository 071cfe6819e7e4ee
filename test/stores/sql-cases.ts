import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { sqlStore } from '../../src/index.js'
import type { SqlStoreOptions } from '../../src/index.js'
import { rowsIn } from '../../src/stores/sql-dialects.js'
import { create, digestOf, HOUR, newRecord, newSid, newUser, NOW, ownerOf, remembered, sidsOf } from './contract/fixtures.js'
import { storeContract } from './contract.js'

export type Database = Required<Pick<SqlStoreOptions, 'query' | 'dialect'>>

/** A table of this test, gone with it. */
export async function newStore (t: Test, { query, dialect }: Database) {
  const table = `test_${randomBytes(6).toString('hex')}`
  const store = sqlStore({ query, dialect, table })
  await store.createTable()
  t.teardown(async () => { await query(`DROP TABLE IF EXISTS ${table}`, []) })
  return { store, table }
}

/** The contract, and what is true of a database besides. */
export function sqlCases (t: Test, database: Database): void {
  const { query, dialect } = database

  t.test('the contract', async (t) => {
    const { store } = await newStore(t, database)
    storeContract(t, () => store)
  })

  t.test('the table can be made several times, by several processes at once, or from the printed schema', async (t) => {
    const { table } = await newStore(t, database)
    await query(`DROP TABLE ${table}`, [])
    const stores = Array.from({ length: 4 }, () => sqlStore({ ...database, table }))
    await Promise.all(stores.map((store) => store.createTable()))
    await stores[0]!.createTable()
    await query(`DROP TABLE ${table}`, [])
    for (const statement of stores[0]!.schema.split(';\n').filter((text) => text !== '')) await query(statement, [])
    const record = newRecord(newUser())
    await create(stores[0]!, record)
    t.strictSame(await stores[1]!.list(record, NOW), [record])
  })

  t.test('deleteExpired removes what has expired, batch by batch, and nothing else', async (t) => {
    const { store, table } = await newStore(t, database)
    const userId = newUser()
    for (let i = 0; i < 7; i++) await create(store, newRecord(userId, { expiresAt: NOW + i }))
    const live = newRecord(newUser())
    await create(store, live)
    const sent: string[] = []
    const counted = sqlStore({
      dialect,
      table,
      query: (text, params) => {
        sent.push(text)
        return query(text, params)
      }
    })
    t.equal(await counted.deleteExpired({ batch: 2, now: NOW + 4 }), 5, 'those that end now among them')
    t.equal(sent.length, 3)
    t.equal((await store.list(ownerOf(userId), NOW)).length, 2)
    t.equal(await store.deleteExpired({ now: NOW + 10 }), 2)
    t.equal(await store.deleteExpired({ now: NOW + 10 }), 0)
    t.strictSame(await store.list(live, NOW), [live])
    t.equal(await store.deleteExpired(), 1, 'without a time it is now')
    for (const batch of [0, -1, 1.5, NaN]) {
      await t.rejects(store.deleteExpired({ batch }), { code: 'FST_LOGIN_INVALID_OPTIONS' })
    }
  })

  t.test('what has ended leaves no row behind, however it ended', async (t) => {
    const { store, table } = await newStore(t, database)
    const userId = newUser()
    const login = await remembered(store, 'first', userId)
    t.equal(await login.present('unknown', 'never', 0), 'reuse')
    const all = [newRecord(userId), newRecord(userId), newRecord(userId)]
    for (const record of all) await create(store, record, { maxLogins: 2 })
    await store.delete(ownerOf(userId), all[1]!.sid, NOW)
    await store.deleteAll(ownerOf(userId), { except: null, now: NOW })
    t.equal(await store.deleteExpired({ now: Number.MAX_SAFE_INTEGER }), 0)
    t.strictSame(rowsIn(await query(`SELECT sid FROM ${table}`, [])), [])
  })

  t.test('a login that cannot be limited leaves no record behind', async (t) => {
    const { store, table } = await newStore(t, database)
    const failure = new Error('connection lost')
    const userId = newUser()
    await create(store, newRecord(userId))
    const before = await sidsOf(store, userId)
    const failing = sqlStore({
      dialect, table, query: (text, params) => /OFFSET/.test(text) ? Promise.reject(failure) : query(text, params)
    })
    await t.rejects(create(failing, newRecord(userId), { maxLogins: 1 }), failure)
    t.strictSame(await sidsOf(store, userId), before)
  })

  t.test('a statement given up for another one\'s sake is sent again, a few times', async (t) => {
    const { store, table } = await newStore(t, database)
    const record = newRecord(newUser())
    await create(store, record)
    for (const code of ['ER_LOCK_DEADLOCK', 'ER_CHECKREAD', '40001', '40P01']) {
      let failures = 3
      const failing = sqlStore({
        dialect,
        table,
        query: (text, params) =>
          failures-- > 0 ? Promise.reject(Object.assign(new Error('deadlock'), { code })) : query(text, params)
      })
      t.strictSame(await failing.find(record, record.sid, NOW), record)
      failures = Infinity
      await t.rejects(failing.find(record, record.sid, NOW), { code })
    }
  })

  t.test('what lets a rotation go first is seen by the one that comes second', async (t) => {
    const { store, table } = await newStore(t, database)
    const login = await remembered(store)
    const { userId, record: { sid } } = login
    const times = { graceSeconds: 1, lastSeenAt: NOW, expiresAt: NOW + HOUR, now: NOW }
    const between: Array<[() => Promise<unknown>, string]> = [
      [() => login.present('first', 'second', 0), 'grace'],
      [() => store.delete(ownerOf(userId), sid, NOW), 'gone']
    ]
    for (const [interfere, verdict] of between) {
      let interfered = false
      const slow = sqlStore({
        dialect,
        table,
        async query (text, params) {
          if (/^UPDATE/.test(text) && !interfered) {
            interfered = true
            await interfere()
          }
          return await query(text, params)
        }
      })
      const presented = digestOf(verdict === 'grace' ? 'first' : 'second')
      t.equal(await slow.rotate(ownerOf(userId), sid, { presented, next: digestOf('other'), ...times }), verdict)
    }
  })

  t.test('a query function that hides what happened is an error, never an answer', async (t) => {
    const { table } = await newStore(t, database)
    const hiding = sqlStore({
      dialect,
      table,
      query: async (text, params) => {
        await query(text, params)
        return { changes: 1 }
      }
    })
    await t.rejects(create(hiding, newRecord(newUser())), TypeError)
    await t.rejects(hiding.find(ownerOf('ann'), newSid(), NOW), TypeError)
    await t.rejects(hiding.delete(ownerOf('ann'), newSid(), NOW), TypeError)
  })
}
