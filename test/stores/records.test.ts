import t from 'tap'
import { memoryStore } from '../../src/stores/memory.js'
import { Records } from '../../src/stores/records.js'
import type { RecordSettings } from '../../src/stores/records.js'
import type { LoginStore, UserId } from '../../src/index.js'
import { Clock, START } from '../support/clock.js'
import { faulty } from '../support/stores/faulty.js'
import { HOUR, newSid } from './contract/fixtures.js'

const NOBODY = { headers: {} }

/** The rules over a store that can be made to fail. */
function rules (changes: Partial<RecordSettings> = {}, real: LoginStore = memoryStore()) {
  const faults = faulty(real)
  const clock = new Clock()
  const records = new Records(faults.store, {
    area: 'session',
    clock: clock.read,
    idleSeconds: 600,
    storeCheckSeconds: 0,
    rememberGraceSeconds: 20,
    maxLogins: null,
    storeTimeoutSeconds: 5,
    log: { warn: () => {} },
    ...changes
  })
  const signIn = async (uid: UserId = 'ann', { tok }: { tok?: string } = {}) => {
    const login = { uid, sid: newSid(), auth_time: Math.floor(clock.now / 1000) }
    const remembered = tok === undefined ? null : { ...login, tok, exp: Math.floor((clock.now + 24 * HOUR) / 1000) }
    const evicted = await records.create(login, remembered, NOBODY)
    return { ...login, exp: 0, ...remembered, evicted }
  }
  return { records, faults, clock, signIn }
}

/** Everything JSON and forms can bring where a sid is expected, and what code can. */
const noSids: unknown[] = [
  undefined, null, true, false, 0, 1, NaN, '', ' ', 'a b', 'é', 'a\0', 'a\n', '\ud800', '%', '*', 'a.b', "' OR ''='", 'x'.repeat(65), 'x'.repeat(5000),
  [], ['a'], [newSid()], {}, { toString: 1 }, { toString: () => 'a' }, { length: 3 }, Symbol('a'), 1n, () => 'a'
]

t.test('what is no sid is nobody\'s, and no store hears of it', async (t) => {
  const { records, faults, signIn } = rules()
  const { sid } = await signIn()
  faults.calls.length = 0
  for (const wrong of [...noSids, `${sid} `, ` ${sid}`, `${sid}\n`] as string[]) {
    t.equal(await records.alive('ann', wrong), false)
    t.equal(await records.alive('ann', wrong, { ask: true }), false)
    t.equal(await records.end('ann', wrong), false)
    await records.endEach([{ uid: 'ann', sid: wrong }])
    t.strictSame(await records.redeem({ uid: 'ann', sid: wrong, exp: START, tok: 'a' }, { replace: true, expiresAt: 0 }), { kind: 'gone' })
  }
  t.strictSame(faults.calls, [])
  t.match(await records.list('ann'), [{ sid }])
})

t.test('what is no sid is kept out of the lists of those to be replaced and to be kept', async (t) => {
  const { records, faults, signIn } = rules()
  const { sid } = await signIn()
  await records.create({ uid: 'ann', sid: newSid(), auth_time: 0 }, null, NOBODY, [...noSids as string[], sid])
  t.match(faults.calls.at(-1), { method: 'create', args: [{}, { replaces: [sid] }] })
  for (const wrong of noSids as string[]) {
    await records.endAll('ann', wrong)
    t.match(faults.calls.at(-1), { method: 'deleteAll', args: [{}, { except: null }] })
  }
})

t.test('what is no user id is the caller\'s mistake, and no store hears of it', async (t) => {
  const { records, faults } = rules()
  const sid = newSid()
  for (const wrong of [undefined, null, true, false, '', NaN, Infinity, -Infinity, [], ['ann'], {}, { toString: 1 }, Symbol('a'), 1n, () => 'a'] as string[]) {
    const calls: (() => Promise<unknown>)[] = [() => records.list(wrong), () => records.end(wrong, sid), () => records.endAll(wrong, null), () => records.alive(wrong, sid)]
    for (const call of calls) await t.rejects(call(), { code: 'FST_LOGIN_INVALID_OPTIONS', statusCode: 500 })
  }
  t.strictSame(faults.calls, [])
  await t.rejects(records.list(''), /, got an empty string$/)
  await t.rejects(records.list(NaN), /, got NaN$/)
  for (const right of [0, -1, 1.5, '0', ' ', '\0', '__proto__', 'x'.repeat(5000)]) t.strictSame(await records.list(right), [])
})

t.test('two areas on one store do not see, end, count or limit each other\'s logins', async (t) => {
  const store = memoryStore()
  const [shop, admin] = [rules({ maxLogins: 1 }, store), rules({ area: 'admin', maxLogins: 1 }, store)]
  for (const uid of [1, '1']) {
    const [here, there] = [await shop.signIn(uid, { tok: 'a' }), await admin.signIn(uid, { tok: 'b' })]
    t.strictSame([here.evicted, there.evicted], [[], []])
    t.match(await shop.records.list(uid), [{ area: 'session', userId: uid, sid: here.sid }])
    t.match(await admin.records.list(uid), [{ area: 'admin', userId: uid, sid: there.sid }])
    t.equal(await admin.records.alive(uid, here.sid), false)
    t.equal(await admin.records.end(uid, here.sid), false)
    t.strictSame(await admin.records.redeem(here, { replace: true, expiresAt: 0 }), { kind: 'gone' })
    t.strictSame(await shop.records.endAll(uid, null), [here.sid])
    t.equal(await admin.records.alive(uid, there.sid), true)
  }
})
