import { create, GRACE, newRecord, newUser, NOW, ownerOf, remembered, sidsOf } from './fixtures.js'
import type { Part } from './fixtures.js'

/** In seconds, as tokens are presented. */
const DAY = 86_400

/** What `rotate` makes of a presented token; `first` is the token the login began with. */
export const rotation: Part = (t, store) => {
  t.test('the current token is replaced, and each new one in its turn', async (t) => {
    const { present } = await remembered(store)
    t.equal(await present('first', 'second', 0), 'rotated')
    t.equal(await present('second', 'third', 100), 'rotated')
    t.equal(await present('third', 'fourth', 100), 'rotated')
    t.equal(await present('fourth', 'fifth', 200), 'rotated')
  })

  t.test('the previous token restores within the grace, and changes nothing', async (t) => {
    const { present } = await remembered(store)
    await present('first', 'second', 100)
    for (const seconds of [100, 101, 100 + GRACE]) {
      t.equal(await present('first', 'never', seconds), 'grace', `after ${seconds} s`)
    }
    t.equal(await present('second', 'third', 100 + GRACE), 'rotated')
  })

  t.test('the previous token presented later replaces the current one, which may never have arrived', async (t) => {
    const { present } = await remembered(store)
    await present('first', 'lost', 100)
    t.equal(await present('first', 'lost too', 100 + GRACE + 0.001), 'rotated')
    t.equal(await present('first', 'never', 100 + 2 * GRACE), 'grace', 'the grace begins again')
    t.equal(await present('first', 'third', DAY), 'rotated', 'however many answers were lost')
    t.equal(await present('third', 'fourth', DAY + 1), 'rotated')
  })

  t.test('a token that was replaced unseen is reuse at once, even within the grace', async (t) => {
    const { present, find } = await remembered(store)
    await present('first', 'lost', 0)
    await present('first', 'second', DAY)
    t.equal(await present('lost', 'never', DAY), 'reuse')
    t.equal(await find(), null)
    t.equal(await present('second', 'never', DAY), 'gone')
  })

  t.test('a token that was the previous one a moment ago restores within the grace, and is reuse later', async (t) => {
    const { present } = await remembered(store)
    await present('first', 'second', 0)
    await present('second', 'third', DAY)
    await present('third', 'fourth', DAY + 5)
    for (const [token, until] of [['first', DAY + GRACE], ['second', DAY + 5 + GRACE]] as const) {
      t.equal(await present(token, 'never', until), 'grace', token)
    }
    t.equal(await present('fourth', 'fifth', DAY + 5 + GRACE), 'rotated', 'none of this replaced the current one')
    t.equal(await present('first', 'never', DAY + GRACE + 0.001), 'reuse')
  })

  t.test('of the tokens replaced before the previous one, the 16 latest restore within the grace', async (t) => {
    for (const [age, verdict] of [[16, 'grace'], [17, 'reuse']] as const) {
      const { present } = await remembered(store, '0')
      for (let i = 0; i < 20; i++) t.equal(await present(String(i), String(i + 1), 1), 'rotated')
      // 20 is the current one, 19 the previous one.
      t.equal(await present(String(19 - age), 'never', 2), verdict, `${age} before the previous one`)
    }
  })

  t.test('a chain far longer than the grace remembers nothing of its beginning', async (t) => {
    const { present } = await remembered(store, '0')
    for (let i = 0; i < 20; i++) t.equal(await present(String(i), String(i + 1), i * DAY), 'rotated')
    t.equal(await present('17', 'never', 20 * DAY), 'reuse')
  })

  t.test('with a grace of nothing, only the very same millisecond is parallel', async (t) => {
    const { record, userId } = await remembered(store)
    const present = (presented: string, next: string, now: number) =>
      store.rotate(ownerOf(userId), record.sid, { presented, next, graceSeconds: 0, lastSeenAt: NOW, expiresAt: NOW, now })
    await store.delete(ownerOf(userId), record.sid, NOW)
    const [a, b, c] = ['a', 'b', 'c'].map((letter) => letter.repeat(43)) as [string, string, string]
    await create(store, record, { digest: a })
    t.equal(await present(a, b, NOW + 1000), 'rotated')
    t.equal(await present(a, c, NOW + 1000), 'grace')
    t.equal(await present(a, c, NOW + 1001), 'rotated')
    t.equal(await present(b, c, NOW + 1001), 'reuse')
  })

  t.test('a response that can carry no cookie replaces nothing', async (t) => {
    const { present } = await remembered(store)
    t.equal(await present('first', null, 0), 'grace')
    t.equal(await present('first', 'second', 1), 'rotated')
    t.equal(await present('first', null, 1 + GRACE), 'grace')
    t.equal(await present('first', null, DAY), 'grace', 'however late')
    t.equal(await present('second', null, DAY), 'grace')
    t.equal(await present('second', 'third', DAY), 'rotated')
    t.equal(await present('unknown', null, DAY), 'reuse')
    t.equal(await present('third', null, DAY), 'gone')
  })

  t.test('a rotation moves both times forward, the grace only lastSeenAt, and neither moves back', async (t) => {
    const { record, present, find } = await remembered(store)
    const seen = async (verdict: string, expected: object) =>
      t.strictSame(await find(), { ...record, ...expected }, verdict)
    const end = record.expiresAt
    await present('first', 'second', 0, { lastSeenAt: NOW + 10, expiresAt: end + 2 })
    await seen('rotated', { lastSeenAt: NOW + 10, expiresAt: end + 2 })
    await present('first', 'never', 1, { lastSeenAt: NOW + 20, expiresAt: end + 3 })
    await seen('grace', { lastSeenAt: NOW + 20, expiresAt: end + 2 })
    await present('first', 'never', 1, { lastSeenAt: NOW + 15, expiresAt: NOW })
    await present('second', 'third', 1, { lastSeenAt: NOW + 15, expiresAt: end + 1 })
    await seen('back', { lastSeenAt: NOW + 20, expiresAt: end + 2 })
    await present('second', 'fourth', 1000, { lastSeenAt: NOW + 25, expiresAt: end + 4 })
    await seen('rotated by the previous one', { lastSeenAt: NOW + 25, expiresAt: end + 4 })
    await present('second', null, 2000, { lastSeenAt: NOW + 30, expiresAt: end + 5 })
    await seen('grace without a cookie', { lastSeenAt: NOW + 30, expiresAt: end + 4 })
  })

  t.test('reuse ends all remembered logins of the user, and nothing else', async (t) => {
    const userId = newUser()
    const [one, other] = [await remembered(store, 'first', userId), await remembered(store, 'second', userId)]
    const stranger = await remembered(store)
    const plain = newRecord(userId)
    await create(store, plain)
    t.equal(
      await other.present('first', 'never', 0),
      'reuse',
      'a token of another login of the same user is none of this one'
    )
    t.strictSame(await sidsOf(store, userId), [plain.sid])
    t.equal(await one.present('first', 'never', 0), 'gone')
    t.equal(await stranger.present('first', 'second', 0), 'rotated')
  })

  t.test('a login without a remember token has none to present', async (t) => {
    const userId = newUser()
    const [plain, other] = [newRecord(userId), await remembered(store, 'first', userId)]
    await create(store, plain)
    for (const presented of ['', 'null', 'x'.repeat(43)]) {
      t.equal(await store.rotate(ownerOf(userId), plain.sid, { presented, next: null, graceSeconds: 1, lastSeenAt: NOW, expiresAt: NOW, now: NOW }), 'reuse', presented)
    }
    t.strictSame(await sidsOf(store, userId), [plain.sid])
    t.equal(await other.find(), null)
  })
}
