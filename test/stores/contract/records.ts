import { create, digestOf, HOUR, newRecord, newSid, newUser, NOW, ownerOf, sidsOf } from './fixtures.js'
import type { Part } from './fixtures.js'

/** What a record may say: everything comes back as it went in. */
const contents = {
  'no user agent': { userAgent: null },
  'an empty user agent': { userAgent: '' },
  'an ordinary user agent': { userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0' },
  'a user agent of 512 characters': { userAgent: 'é'.repeat(512) },
  'a user agent outside the basic plane': { userAgent: '🦊 "quoted" \\ \' ; -- % \t' },
  'a remember cookie': { remember: true },
  'a time long ago': { createdAt: 1, lastSeenAt: 2 },
  'a time long from now': { expiresAt: NOW + 400 * 24 * HOUR }
}

/** User ids that something careless would mix up. */
const ids = [
  0, 1, -1, 1.5, 1e21, 2 ** 53, '0', '1', '-1', '1.5', '1e21', '01', '1 ', ' 1', 'n1', 's1', '"1"', 'null', 'NaN',
  'true', '[1]',
  'ann', 'Ann', 'ANN', 'ann ', 'änn', 'a\u0308nn', 'ànn', 'ann\0', 'ann\n', 'ann:1', 'ann{', '{ann}', 'ann}', '}', '{}',
  '{}{', 'a}b', 'a}c', '%', '_', '*', '?',
  '\\', '\\u0000', '\0', '\ud800', '\udfff', '\ufffd', '🦊', '🦝', "' OR ''='", '"; DROP TABLE logins; --', '__proto__',
  'constructor',
  'x'.repeat(255), 'x'.repeat(256), 'x'.repeat(5000), `${'x'.repeat(5000)}y`
]

/** Sids of no login that look like one of somebody. */
const strangeSids = (sid: string) => [
  newSid(), sid.slice(1), `${sid}_`, `-${sid}`, swapCase(sid), '0', '1', 'null', 'true', 'NaN', '__proto__', 'constructor', '_', 'x'.repeat(64)
]

const swapCase = (text: string) => [...text].map((char) => char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase()).join('')

export const records: Part = (t, store) => {
  t.test('a record is found and listed as it was put in', async (t) => {
    for (const [name, changes] of Object.entries(contents)) {
      const record = newRecord(newUser(), changes)
      t.strictSame(await create(store, record), [], name)
      t.strictSame(await store.find(record, record.sid, NOW), record, name)
      t.strictSame(await store.list(record, NOW), [record], name)
    }
  })

  t.test('a user agent that is no text does not stop a login', async (t) => {
    for (const userAgent of ['a\0b', 'half a pair \ud800', '\udfff', `${'x'.repeat(511)}\ud83e`]) {
      const record = newRecord(newUser(), { userAgent })
      await create(store, record)
      t.match(await store.find(record, record.sid, NOW), { sid: record.sid, userAgent: String })
    }
  })

  t.test('no two user ids share records, and each comes back with its type', async (t) => {
    const all = ids.map((userId) => newRecord(userId))
    for (const record of all) await store.deleteAll(record, { except: null, now: NOW })
    for (const record of all) await create(store, record)
    for (const [i, record] of all.entries()) {
      const name = JSON.stringify(record.userId).slice(0, 40)
      t.strictSame(await store.list(record, NOW), [record], name)
      t.equal(await store.find(record, all.at(i - 1)!.sid, NOW), null, `${name} does not see another's`)
    }
    for (const { userId, sid } of all) t.strictSame(await store.deleteAll(ownerOf(userId), { except: null, now: NOW }), [sid])
  })

  t.test('a user of one area is nobody in another, whatever both are named', async (t) => {
    const names = ['session', 'admin', 'Session', 'session ', '__Host-session', '[', '",', '"session",1', '__proto__', '%', '*', 'x'.repeat(255)]
    const sid = newSid()
    const all = names.flatMap((area) => [1, '1', 'a'.repeat(300)].map((userId) => newRecord(userId, { area, sid, remember: true, userAgent: area })))
    for (const record of all) await store.deleteAll(record, { except: null, now: NOW })
    for (const record of all) t.strictSame(await create(store, record, { digest: digestOf('first'), maxLogins: 1 }), [], 'nobody of another area makes room')
    const left = new Set(all)
    const check = async (ended: typeof all[number], name: string) => {
      left.delete(ended)
      for (const record of all) t.strictSame(await store.list(record, NOW), left.has(record) ? [record] : [], `${name} ${record.area}`)
    }
    const step = { next: null, graceSeconds: 1, lastSeenAt: NOW, expiresAt: NOW, now: NOW }
    for (const [i, record] of all.entries()) {
      t.strictSame(await store.find(record, sid, NOW), record)
      if (i % 3 === 0) t.equal(await store.delete(record, sid, NOW), true)
      else if (i % 3 === 1) t.strictSame(await store.deleteAll(record, { except: null, now: NOW }), [sid])
      else t.equal(await store.rotate(record, sid, { presented: digestOf('unknown'), ...step }), 'reuse')
      await check(record, String(i))
      t.equal(await store.find(record, sid, NOW), null)
    }
  })

  t.test('a sid that is nobody\'s finds, changes and ends nothing', async (t) => {
    const record = newRecord(newUser(), { remember: true })
    await create(store, record, { digest: 'x'.repeat(43) })
    for (const sid of strangeSids(record.sid)) {
      const { userId } = record
      const name = JSON.stringify(sid).slice(0, 40)
      t.equal(await store.find(ownerOf(userId), sid, NOW), null, `find ${name}`)
      t.equal(await store.delete(ownerOf(userId), sid, NOW), false, `delete ${name}`)
      await store.touch(ownerOf(userId), sid, { lastSeenAt: NOW + 1, expiresAt: NOW + 2 * HOUR, now: NOW })
      const step = { presented: 'y'.repeat(43), next: null, graceSeconds: 1, lastSeenAt: NOW, expiresAt: NOW, now: NOW }
      t.equal(await store.rotate(ownerOf(userId), sid, step), 'gone', `rotate ${name}`)
    }
    t.strictSame(await store.list(record, NOW), [record])
  })

  t.test('what the caller does to an object afterwards does not reach the store', async (t) => {
    const record = newRecord(newUser())
    const given = { ...record }
    await create(store, given)
    given.expiresAt = 0
    const found = await store.find(record, record.sid, NOW)
    found!.userAgent = 'changed'
    const [listed] = await store.list(record, NOW)
    listed!.expiresAt = 0
    t.strictSame(await store.find(record, record.sid, NOW), record)
  })

  t.test('touch moves both times forward, each on its own, and never back', async (t) => {
    const record = newRecord(newUser())
    const { userId, sid } = record
    await create(store, record)
    for (const [lastSeenAt, expiresAt] of [[NOW + 5, NOW], [NOW - 5, NOW + 2 * HOUR], [NOW, NOW], [NOW + 7, NOW + HOUR]] as const) {
      await store.touch(ownerOf(userId), sid, { lastSeenAt, expiresAt, now: NOW })
      record.lastSeenAt = Math.max(record.lastSeenAt, lastSeenAt)
      record.expiresAt = Math.max(record.expiresAt, expiresAt)
      t.strictSame(await store.find(ownerOf(userId), sid, NOW), record)
    }
  })

  t.test('delete ends one login, and says whether there was one', async (t) => {
    const userId = newUser()
    const [one, other] = [newRecord(userId), newRecord(userId)]
    for (const record of [one, other]) await create(store, record)
    t.equal(await store.delete(ownerOf(userId), one.sid, NOW), true)
    t.equal(await store.delete(ownerOf(userId), one.sid, NOW), false)
    t.strictSame(await store.list(ownerOf(userId), NOW), [other])
  })

  t.test('deleteAll ends all logins of the user but the one named, and says which', async (t) => {
    const userId = newUser()
    const stranger = newRecord(newUser())
    const all = [newRecord(userId), newRecord(userId, { remember: true }), newRecord(userId)]
    for (const record of [stranger, ...all]) await create(store, record)
    const [kept, ...others] = all.map(({ sid }) => sid)
    t.strictSame((await store.deleteAll(ownerOf(userId), { except: kept!, now: NOW })).sort(), others.sort())
    t.strictSame(await sidsOf(store, userId), [kept])
    t.strictSame(await store.deleteAll(ownerOf(userId), { except: newSid(), now: NOW }), [kept])
    t.strictSame(await store.deleteAll(ownerOf(userId), { except: null, now: NOW }), [])
    t.strictSame(await store.list(stranger, NOW), [stranger])
  })
}
