import t from 'tap'
import { sqlStore } from '../../src/index.js'
import type { SqlStoreOptions } from '../../src/index.js'
import { create, HOUR, newRecord, NOW, ownerOf } from './contract/fixtures.js'

const INVALID = { code: 'FST_LOGIN_INVALID_OPTIONS' }

/** A store that says what it sends, and hears what the test says. */
function listen (dialect: SqlStoreOptions['dialect'], answer: unknown = [], table?: string) {
  const sent: Array<{ text: string, params: unknown[] }> = []
  return {
    sent, store: sqlStore({ dialect, table, query: (text, params) => { sent.push({ text, params }); return answer } })
  }
}

t.test('a table name is a name, or the store does not start', async (t) => {
  for (const table of [
    '', ' ', '1st', 'a b', 'a.b', 'a-b', 'a"', 'a`', 'a;', 'a\n', 'é', 'x'.repeat(49), 'logins; DROP TABLE users'
  ]) {
    t.throws(() => listen('postgres', [], table), INVALID, JSON.stringify(table))
  }
  for (const table of ['logins', '_x', 'Logins_2', 'x'.repeat(48)]) {
    t.match(listen('sqlite', [], table).store.schema, ` ${table} (`)
  }
  t.match(listen('mysql').store.schema, ' logins (')
})

t.test('an unknown dialect, and a query that cannot be called, do not start', async (t) => {
  for (const dialect of ['', 'Postgres', 'oracle', 'toString', '__proto__']) {
    t.throws(() => listen(dialect as 'mysql'), INVALID, dialect)
  }
  for (const query of [undefined, {}, 'SELECT 1']) {
    t.throws(() => sqlStore({ dialect: 'mysql', query: query as unknown as SqlStoreOptions['query'] }), INVALID)
  }
})

t.test('placeholders are in the style of the dialect, and nothing users or browsers say is in the text', async (t) => {
  const record = newRecord("o'hara?", { userAgent: "'; DROP TABLE logins; -- ?" })
  for (const dialect of ['postgres', 'sqlite', 'mysql'] as const) {
    const { sent, store } = listen(dialect, dialect === 'mysql' ? { affectedRows: 1 } : [])
    await create(store, record)
    const { text, params } = sent[0]!
    t.equal(text.match(dialect === 'postgres' ? /\$\d+/g : /\?/g)?.length, params.length)
    t.match(text, dialect === 'postgres' ? '$1, $2, $3' : '?, ?, ?')
    t.notMatch(text, /hara|DROP/)
    t.ok(params.includes(record.userAgent))
  }
})

t.test('times with a fraction are stored as whole milliseconds, which is what the columns hold', async (t) => {
  const { sent, store } = listen('postgres')
  const times = { lastSeenAt: NOW + 0.5, expiresAt: NOW + HOUR + 0.5, now: NOW + 0.5 }
  await store.create({ ...newRecord('ann'), ...times, createdAt: NOW + 0.5 }, { digest: null, maxLogins: 2, now: NOW + 0.5 })
  await store.touch(ownerOf('ann'), 'sid', times)
  await store.list(ownerOf('ann'), NOW + 0.5)
  await store.deleteExpired({ now: NOW + 0.5 })
  for (const { params } of sent) {
    t.strictSame(params.filter((param) => typeof param === 'number' && !Number.isInteger(param)), [])
  }
})

t.test('rows are found in whatever shape a driver answers', async (t) => {
  const row = { sid: 'x', user_agent: null, created_at: '5', last_seen_at: 6n, expires_at: 7, remember: 1 }
  const record = { area: 'session', sid: 'x', userId: 'ann', userAgent: null, createdAt: 5, lastSeenAt: 6, expiresAt: 7, remember: true }
  for (const answer of [{ rows: [row] }, [[row], []], [row], Promise.resolve([row])]) {
    t.strictSame(await listen('mysql', answer).store.list(ownerOf('ann'), 0), [record])
  }
  for (const answer of [{ rows: [] }, [[], []], []]) t.strictSame(await listen('mysql', answer).store.list(ownerOf('ann'), 0), [])
  for (const answer of [null, 1, {}, { changes: 1 }]) await t.rejects(listen('sqlite', answer).store.list(ownerOf('ann'), 0), TypeError)
})

t.test('how many rows changed is found in whatever shape MySQL drivers answer', async (t) => {
  for (const answer of [{ affectedRows: 1 }, [{ affectedRows: 1 }, undefined]]) t.equal(await listen('mysql', answer).store.delete(ownerOf('ann'), 'x', 0), true)
  for (const answer of [undefined, [], {}, [[]]]) await t.rejects(listen('mysql', answer).store.delete(ownerOf('ann'), 'x', 0), TypeError)
})
