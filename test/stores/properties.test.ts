import { deepStrictEqual, ok } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import { Browser } from '../support/browser.js'
import { DAY } from '../support/clock.js'
import { copyAt } from '../support/stores/over-store.js'
import { SlowBrowser, twoInstances } from '../support/stores/simulation.js'
import type { Server } from '../support/stores/simulation.js'

const GRACE = 20
const IDLE = 3600
/** fast-check names the seed and the smallest counterexample when a property does not hold. */
const SEED = 20_260_102

const server = fc.constantFrom<Server>(0, 1)
const request = fc.record({ server, delay: fc.integer({ min: 0, max: GRACE }), lost: fc.boolean() })
const waits = fc.constantFrom(0, 1, 7, GRACE, GRACE + 1, 100, IDLE, IDLE + 1, DAY)

type Step = (browser: SlowBrowser) => void | Promise<void>

/** A step that says in a counterexample what it does. */
function step<T> (weight: number, name: string, arbitrary: fc.Arbitrary<T>, act: (value: T) => Step) {
  const named = (value: T) =>
    Object.assign(act(value), { [fc.toStringMethod]: () => `${name}(${fc.stringify(value)})` })
  return { weight, arbitrary: arbitrary.map(named) }
}

const browsing = [
  step(4, 'fire', fc.array(request, { minLength: 1, maxLength: 4 }), (requests) => (browser) => browser.fire(requests)),
  step(3, 'restart', fc.constant(null), () => (browser) => browser.restart()),
  step(4, 'wait', waits, (seconds) => (browser) => browser.wait(seconds))
]

const living = [
  ...browsing,
  step(2, 'signIn', server, (server) => (browser) => browser.signIn(server)),
  step(1, 'signOut', fc.tuple(server, fc.boolean()), ([server, lost]) => (browser) => browser.signOut(server, lost)),
  step(1, 'revoke', server, (server) => (browser) => browser.revoke(server))
]

/** So few that no more tokens are used up within one grace than a store remembers. */
const stepsOf = (kinds: typeof living) => fc.array(fc.oneof(...kinds), { minLength: 10, maxLength: 30, size: 'max' })

for (const storeCheckSeconds of [0, 30]) {
  const check = `storeCheckSeconds ${storeCheckSeconds}`
  t.test(`with ${check} a lone browser stays logged in until its login is ended, and no longer`, async (t) => {
    const instances = await twoInstances({
      rememberGraceSeconds: GRACE, storeCheckSeconds, session: { idleSeconds: IDLE }
    })
    let restores = 0
    const steps = fc.oneof(stepsOf(browsing), stepsOf(living))
    await fc.assert(fc.asyncProperty(steps, fc.boolean(), async (steps, lossy) => {
      instances.reset()
      const browser = new SlowBrowser(instances, { storeCheckSeconds, lossy })
      await browser.signIn(0)
      for (const act of steps) await act(browser)
      await browser.settle()
      for (const server of [0, 1] as const) browser.fire([{ server, delay: 0, lost: false }])
      await browser.wait(storeCheckSeconds)
      await browser.checkOwners()
      deepStrictEqual(instances.told.reuse, 0, 'taken for a thief')
      restores += instances.told.restore
    }), { seed: SEED, numRuns: 100 })
    t.ok(restores > 700, `restored ${restores} times`)
  })
}

/** Two who come back with copies of one remember cookie. */
type Hand = 'honest' | 'thief'
const other = { honest: 'thief', thief: 'honest' } as const
const hand = fc.constantFrom<Hand>('honest', 'thief')
const visits = fc.array(fc.record({ hand, server, lost: fc.boolean(), waited: waits }), { maxLength: 12, size: 'max' })

t.test('thief and browser who have each come back with what they hold are found out, in either order', async (t) => {
  const instances = await twoInstances({
    rememberGraceSeconds: GRACE, storeCheckSeconds: 0, session: { idleSeconds: IDLE }
  })
  const { apps, user, clock, told } = instances
  let late = 0
  await fc.assert(fc.asyncProperty(stepsOf(browsing), visits, hand, async (before, visits, first) => {
    instances.reset()
    const [phone, tv, bobs] = [new Browser(apps[0]), new Browser(apps[0]), new Browser(apps[1])]
    await phone.signIn(user('ann'), { remember: 60 })
    await tv.signIn(user('ann'))
    await bobs.signIn(user('bob'), { remember: 60 })
    const slow = new SlowBrowser(instances, { storeCheckSeconds: 0, lossy: true })
    await slow.signIn(0)
    for (const act of before) await act(slow)
    await slow.settle()
    deepStrictEqual(told.reuse, 0)

    const hands = { honest: slow.browser, thief: copyAt(apps[1], slow.browser) }
    const comeBack = async (hand: Hand, server: Server, lost: boolean) => {
      hands[hand].close()
      const sent = copyAt(apps[server], hands[hand])
      await sent.get('/who')
      if (!lost) hands[hand] = sent
    }
    for (const { hand, server, lost, waited } of visits) {
      clock.advance(waited)
      await comeBack(hand, server, lost)
    }
    if (told.reuse === 0) late++

    // With the same token in both hands, one of them must come and get another before they hold different ones.
    const order = hands.honest.cookie('_remember') === hands.thief.cookie('_remember')
      ? [first, other[first], first]
      : [first, other[first]]
    for (const hand of order) {
      clock.advance(GRACE + 1)
      await comeBack(hand, 0, false)
    }
    ok(told.reuse > 0, 'not found out')
    const remembered = (await apps[0].login.list('ann')).filter(({ remember }) => remember)
    deepStrictEqual(remembered, [], 'a remembered login is left')
    for (const visitor of [...Object.values(hands), phone]) {
      deepStrictEqual((await visitor.who()).user, null)
      deepStrictEqual(visitor.jar.size, 0)
    }
    bobs.close()
    deepStrictEqual((await bobs.who()).user, 'bob')
  }), { seed: SEED, numRuns: 100 })
  t.ok(late > 25 && late < 75, `found out only at the end in ${late} of 100 runs`)
})
