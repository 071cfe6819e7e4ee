import fc from 'fast-check'
import { memoryStore } from '../../../src/index.js'
import type { LoginStore, UserId } from '../../../src/index.js'
import { create, digestOf, newRecord, newUser, NOW, ownerOf } from './fixtures.js'
import type { Part } from './fixtures.js'

/** Calls of any method in any order; `login` and `token` pick among those there have been. */
const pick = fc.nat(30)
const days = fc.integer({ min: -2, max: 9 })
const graceSeconds = fc.constantFrom(0, 20)
const maxLogins = fc.option(fc.integer({ min: 1, max: 4 }))
const call = fc.oneof(
  fc.record({
    method: fc.constant('create' as const),
    user: fc.nat(1),
    remember: fc.boolean(),
    days: fc.integer({ min: 1, max: 9 }),
    maxLogins
  }),
  fc.record({ method: fc.constant('touch' as const), login: pick, seconds: fc.integer({ min: -50, max: 50 }), days }),
  {
    weight: 2,
    arbitrary: fc.record({
      method: fc.constant('rotate' as const), login: pick, token: pick, graceSeconds, answers: fc.boolean(), days
    })
  },
  fc.record({ method: fc.constant('delete' as const), login: pick }),
  fc.record({ method: fc.constant('deleteAll' as const), user: fc.nat(1), login: pick, except: fc.boolean() }),
  fc.record({
    method: fc.constant('wait' as const),
    milliseconds: fc.constantFrom(0, 1, 5000, 20_000, 20_001, 86_400_000, 3 * 86_400_000)
  })
)

type Call = typeof call extends fc.Arbitrary<infer T> ? T : never

/** Runs the calls and tells everything the store answered, and what it holds after each call. */
async function run (
  store: LoginStore, calls: Call[], names: { user: UserId[], sid: (i: number) => string }
): Promise<unknown[]> {
  const said: unknown[] = []
  const logins: Array<{ userId: UserId, sid: string, tokens: string[] }> = []
  let now = NOW
  let tokens = 0
  const newDigest = () => digestOf(`token ${tokens++}`)
  const later = (days: number) => now + days * 86_400_000
  for (const call of calls) {
    const login = 'login' in call ? logins.at(-1 - call.login % Math.max(logins.length, 1)) : undefined
    if (call.method === 'wait') {
      now += call.milliseconds
    } else if (call.method === 'create') {
      const times = { createdAt: now, lastSeenAt: now, expiresAt: later(call.days) }
      const record = newRecord(names.user[call.user]!, {
        sid: names.sid(logins.length), remember: call.remember, ...times
      })
      const digest = call.remember ? newDigest() : null
      logins.push({ userId: record.userId, sid: record.sid, tokens: digest === null ? [] : [digest] })
      said.push((await create(store, record, { digest, maxLogins: call.maxLogins, now })).sort())
    } else if (call.method === 'deleteAll') {
      said.push((await store.deleteAll(ownerOf(names.user[call.user]!), { except: call.except ? login?.sid ?? 'none' : null, now })).sort())
    } else if (login !== undefined) {
      const { userId, sid } = login
      if (call.method === 'delete') said.push(await store.delete(ownerOf(userId), sid, now))
      if (call.method === 'touch') await store.touch(ownerOf(userId), sid, { lastSeenAt: now + call.seconds * 1000, expiresAt: later(call.days), now })
      if (call.method === 'rotate') {
        const presented = login.tokens.at(-1 - call.token % 5) ?? digestOf('unknown')
        const next = call.answers ? newDigest() : null
        const times = { graceSeconds: call.graceSeconds, lastSeenAt: now, expiresAt: later(call.days), now }
        const verdict = await store.rotate(ownerOf(userId), sid, { presented, next, ...times })
        if (verdict === 'rotated') login.tokens.push(next!)
        said.push(verdict)
      }
    }
    for (const user of names.user) said.push((await store.list(ownerOf(user), now)).sort((a, b) => a.sid < b.sid ? -1 : 1))
    if (login !== undefined) said.push(await store.find(ownerOf(login.userId), login.sid, now))
  }
  return said
}

export const model: Part = (t, store) => {
  t.test('whatever is called in whatever order, the store answers as memoryStore does', async (t) => {
    await fc.assert(fc.asyncProperty(fc.array(call, { maxLength: 40, size: 'max' }), async (calls) => {
      const [user, sids] = [[newUser(), newUser()], newUser().slice(5, 20)]
      const names = { user, sid: (i: number) => `${sids}_${i}` }
      const expected = await run(memoryStore(), calls, names)
      const actual = await run(store, calls, names)
      t.strictSame(actual, expected)
      if (!t.passing()) throw new Error('the answers differ')
    }), { numRuns: 40, endOnFailure: true })
  })
}
