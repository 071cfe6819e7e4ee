import { create, GRACE, newRecord, newSid, newUser, NOW, ownerOf, remembered, sidsOf } from './fixtures.js'
import type { Part } from './fixtures.js'

const DAY = 86_400

const times = <T> (count: number, make: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => make(i)))
const count = <T> (values: T[], wanted: T) => values.filter((value) => value === wanted).length

/** Each method is one step, however many run at once. */
export const parallel: Part = (t, store) => {
  t.test('of 50 requests with one token at once, one gets the next token and 49 are parallel to it', async (t) => {
    const { present, find } = await remembered(store)
    let token = 'first'
    for (const [round, seconds] of [1, DAY, 2 * DAY].entries()) {
      const verdicts = await times(50, (i) => present(token, `${round}.${i}`, seconds))
      t.equal(count(verdicts, 'rotated'), 1)
      t.equal(count(verdicts, 'grace'), 49)
      token = `${round}.${verdicts.indexOf('rotated')}`
      t.equal(await present(token, null, seconds), 'grace', 'the token that was given out is the current one')
    }
    t.not(await find(), null)
  })

  t.test('of 50 requests with the previous token long after the grace, one gets the next token as well', async (t) => {
    const { present } = await remembered(store)
    await present('first', 'lost', 0)
    const verdicts = await times(50, (i) => present('first', `next ${i}`, DAY))
    t.equal(count(verdicts, 'rotated'), 1)
    t.equal(count(verdicts, 'grace'), 49)
    t.equal(await present(`next ${verdicts.indexOf('rotated')}`, 'last', DAY + GRACE), 'rotated')
  })

  t.test('two who present different tokens at once cannot both go on', async (t) => {
    for (let round = 0; round < 10; round++) {
      const { present } = await remembered(store)
      await present('first', 'second', 0)
      // Long after the grace one of them is a thief. Whoever is judged first, one ends as reuse: at once or the next time.
      const verdicts = await Promise.all([present('first', 'a', DAY), present('second', 'b', DAY)])
      const held = [verdicts[0] === 'rotated' ? 'a' : 'first', verdicts[1] === 'rotated' ? 'b' : 'second']
      const later = await Promise.all(held.map((token, i) => present(token, `later ${i}`, 2 * DAY)))
      t.ok([...verdicts, ...later].includes('reuse'), `${verdicts} ${later}`)
    }
  })

  t.test('tokens nobody was given end the remembered logins once and for all', async (t) => {
    const userId = newUser()
    const logins = await times(5, () => remembered(store, 'first', userId))
    const verdicts = await times(20, (i) => logins[i % 5]!.present(`guess ${i}`, 'never', 0))
    t.ok(verdicts.includes('reuse'))
    t.strictSame(verdicts.filter((verdict) => verdict !== 'reuse' && verdict !== 'gone'), [])
    t.strictSame(await sidsOf(store, userId), [])
  })

  t.test('what has ended stays ended, whatever else was under way', async (t) => {
    for (let round = 0; round < 10; round++) {
      const { present, userId, record: { sid } } = await remembered(store)
      const touch = () => store.touch(ownerOf(userId), sid, { lastSeenAt: NOW + 5, expiresAt: NOW + DAY * 1000, now: NOW })
      const [, , ended] = await Promise.all([present('first', 'second', 0), touch(), store.delete(ownerOf(userId), sid, NOW), touch(), present('first', 'second', 0)])
      t.equal(ended, true)
      t.strictSame(await store.list(ownerOf(userId), NOW), [])
    }
  })

  t.test('of many who end a login, one is told that there was one', async (t) => {
    const { userId, record: { sid } } = await remembered(store)
    t.equal(count(await times(20, () => store.delete(ownerOf(userId), sid, NOW)), true), 1)

    const all = await times(8, async () => (await remembered(store, 'first', userId)).record.sid)
    const ended = await times(10, () => store.deleteAll(ownerOf(userId), { except: null, now: NOW }))
    t.strictSame(ended.flat().sort(), all.sort())
  })

  t.test('logins that begin at once leave the latest maxLogins, and each other one is reported once', async (t) => {
    for (const maxLogins of [1, 3]) {
      const userId = newUser()
      const before = await times(2, async () => {
        const record = newRecord(userId, { createdAt: NOW - 5000 })
        await create(store, record, { now: NOW - 5000 })
        return record.sid
      })
      const begun = await times(20, async () => {
        const record = newRecord(userId)
        return { sid: record.sid, ended: await create(store, record, { maxLogins }) }
      })
      const left = await sidsOf(store, userId)
      t.equal(left.length, maxLogins)
      t.ok(left.every((sid) => !before.includes(sid)), 'those that were there before ended first')
      t.strictSame(
        [...left, ...begun.flatMap(({ ended }) => ended)].sort(),
        [...before, ...begun.map(({ sid }) => sid)].sort()
      )
    }
  })

  t.test('logins of many users begin and end beside each other', async (t) => {
    const users = Array.from({ length: 10 }, newUser)
    await times(200, async (i) => {
      const record = newRecord(users[i % 10]!, { sid: newSid() })
      await create(store, record, { maxLogins: 4 })
      await store.touch(record, record.sid, { lastSeenAt: NOW + i, expiresAt: NOW, now: NOW })
    })
    for (const userId of users) t.equal((await store.list(ownerOf(userId), NOW)).length, 4)
  })
}
