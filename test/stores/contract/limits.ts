import { create, DAY, digestOf, HOUR, newRecord, newUser, NOW, ownerOf, remembered, sidsOf } from './fixtures.js'
import type { Part } from './fixtures.js'

/** When records end: by time, and by number. */
export const limits: Part = (t, store) => {
  t.test('until a millisecond before expiresAt a record is there, and from then on it is for no method', async (t) => {
    const end = NOW + 90 * DAY
    const attempts: Record<string, (userId: string, sid: string, now: number) => Promise<unknown>> = {
      find: async (userId, sid, now) => (await store.find(ownerOf(userId), sid, now)) !== null,
      list: async (userId, _sid, now) => (await store.list(ownerOf(userId), now)).length > 0,
      touch: async (userId, sid, now) => {
        await store.touch(ownerOf(userId), sid, { lastSeenAt: now, expiresAt: now + HOUR, now })
        return (await store.find(ownerOf(userId), sid, now)) !== null
      },
      rotate: async (userId, sid, now) => {
        const times = { graceSeconds: 1, lastSeenAt: now, expiresAt: now + HOUR, now }
        return await store.rotate(ownerOf(userId), sid, { presented: digestOf('first'), next: digestOf('next'), ...times }) !== 'gone'
      },
      delete: (userId, sid, now) => store.delete(ownerOf(userId), sid, now),
      deleteAll: async (userId, _sid, now) => (await store.deleteAll(ownerOf(userId), { except: null, now })).length > 0
    }
    for (const [method, there] of Object.entries(attempts)) {
      const [before, after] = [await remembered(store), await remembered(store)]
      t.equal(await there(before.userId as string, before.record.sid, end - 1), true, `${method}, before`)
      t.equal(await there(after.userId as string, after.record.sid, end), false, `${method}, after`)
      t.equal(await after.find(90 * DAY / 1000), null, `${method} brings nothing back`)
    }
  })

  t.test('the caller\'s clock decides, whatever century it is in', async (t) => {
    for (const now of [Date.UTC(1999, 0, 2), Date.now() - 1, Date.UTC(2199, 0, 2)]) {
      const times = { createdAt: now, lastSeenAt: now, expiresAt: now + 1 }
      const record = newRecord(newUser(), times)
      await create(store, record, { now })
      t.strictSame(await store.find(record, record.sid, now), record)
      await store.touch(record, record.sid, { lastSeenAt: now, expiresAt: now + 2, now })
      t.strictSame(await store.list(record, now + 1), [{ ...record, expiresAt: now + 2 }])
      t.equal(await store.find(record, record.sid, now + 2), null)
    }
  })

  t.test('one record that has expired takes no other with it', async (t) => {
    const userId = newUser()
    const [short, long] = [
      newRecord(userId, { expiresAt: NOW + 1000 }), newRecord(userId, { expiresAt: NOW + 2 * HOUR })
    ]
    for (const record of [long, short]) await create(store, record)
    await store.touch(ownerOf(userId), long.sid, { lastSeenAt: NOW + 1001, expiresAt: 0, now: NOW + 1001 })
    t.strictSame(await store.list(ownerOf(userId), NOW + 1001), [{ ...long, lastSeenAt: NOW + 1001 }])
    await store.delete(ownerOf(userId), long.sid, NOW + 1001)
    t.strictSame(await store.list(ownerOf(userId), NOW + 1001), [])
  })

  t.test('the oldest logins end where a new one is over maxLogins, even if all began in one millisecond', async (t) => {
    for (const step of [1000, 0]) {
      const userId = newUser()
      const sids: string[] = []
      for (let i = 0; i < 6; i++) {
        const now = NOW + i * step
        const record = newRecord(userId, { createdAt: now, lastSeenAt: now + (6 - i) * 1000 })
        sids.push(record.sid)
        t.strictSame(await create(store, record, { maxLogins: 3, now }), i < 3 ? [] : [sids[i - 3]])
      }
      t.strictSame(await sidsOf(store, userId), sids.slice(3).sort())
    }
  })

  t.test('a lower limit ends several at once, and a new login never ends itself', async (t) => {
    const userId = newUser()
    const stranger = newRecord(newUser())
    await create(store, stranger, { maxLogins: 1 })
    const all = [0, 1, 2, 3].map((i) => newRecord(userId, { createdAt: NOW + i * 1000 }))
    for (const record of all) await create(store, record)
    const late = newRecord(userId, { createdAt: NOW - 1000 })
    t.strictSame((await create(store, late, { maxLogins: 2 })).sort(), all.slice(0, 3).map(({ sid }) => sid).sort())
    t.strictSame(await sidsOf(store, userId), [all[3]!.sid, late.sid].sort())
    const last = newRecord(userId, { createdAt: NOW + 5000 })
    t.strictSame((await create(store, last, { maxLogins: 1 })).sort(), [all[3]!.sid, late.sid].sort())
    t.strictSame(await sidsOf(store, userId), [last.sid])
    t.strictSame(await sidsOf(store, stranger.userId), [stranger.sid])
  })

  t.test('a login takes the place of those it replaces: nobody makes room, and they are not reported', async (t) => {
    const userId = newUser()
    const [phone, laptop, stranger] = [
      newRecord(userId), newRecord(userId, { createdAt: NOW + 1 }), newRecord(newUser())
    ]
    for (const record of [phone, laptop, stranger]) await create(store, record)
    const again = newRecord(userId, { createdAt: NOW + 2 })
    t.strictSame(await create(store, again, { maxLogins: 2, replaces: [laptop.sid, stranger.sid, 'never-there'] }), [])
    t.strictSame(await sidsOf(store, userId), [phone.sid, again.sid].sort())
    t.strictSame(await sidsOf(store, stranger.userId), [stranger.sid], 'only logins of this user')
    const more = newRecord(userId, { createdAt: NOW + 3 })
    t.strictSame(await create(store, more, { replaces: [again.sid] }), [], 'without a limit too')
    t.strictSame(await sidsOf(store, userId), [phone.sid, more.sid].sort())
  })

  t.test('expired logins take up no place under maxLogins and are not reported as ended', async (t) => {
    const userId = newUser()
    const [first, short] = [newRecord(userId), newRecord(userId, { expiresAt: NOW + 1000 })]
    for (const record of [first, short]) await create(store, record)
    const later = newRecord(userId)
    t.strictSame(await create(store, later, { maxLogins: 2, now: NOW + 1000 }), [])
    t.strictSame(await sidsOf(store, userId, NOW + 1000), [first.sid, later.sid].sort())
    t.strictSame((await store.deleteAll(ownerOf(userId), { except: null, now: NOW + 1000 })).sort(), [first.sid, later.sid].sort())
  })

  t.test('a user may have hundreds of logins, and end them', async (t) => {
    const userId = newUser()
    const all = Array.from(
      { length: 150 },
      (_, i) => newRecord(userId, { expiresAt: NOW + (i % 2 === 0 ? 1000 : HOUR) })
    )
    for (const record of all) await create(store, record)
    t.strictSame(await sidsOf(store, userId), all.map(({ sid }) => sid).sort())
    const live = all.filter(({ expiresAt }) => expiresAt === NOW + HOUR).map(({ sid }) => sid)
    await store.touch(ownerOf(userId), live[0]!, { lastSeenAt: NOW, expiresAt: 0, now: NOW + 1000 })
    t.strictSame(await sidsOf(store, userId, NOW + 1000), live.slice().sort())
    t.strictSame((await store.deleteAll(ownerOf(userId), { except: live[3]!, now: NOW + 1000 })).sort(), live.filter((_, i) => i !== 3).sort())
    t.strictSame(await sidsOf(store, userId, NOW + 1000), [live[3]])
  })
}
