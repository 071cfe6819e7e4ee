import t from 'tap'
import { memoryStore } from '../../src/stores/memory.js'
import { setCookies } from '../support/browser.js'
import type { Browser } from '../support/browser.js'
import { site } from '../support/site.js'
import type { Method } from '../support/stores/faulty.js'
import { comeBack, sidOf, siteOverStore } from '../support/stores/over-store.js'

/** Ann on two devices, remembered on both, and pages that end logins. */
async function house () {
  const made = await siteOverStore({ session: { idleSeconds: 600 }, requestLoader: () => made.user('bob') })
  const { app, visitor, user } = made
  const ran: string[] = []
  app.get('/secrets', { onRequest: app.login.guard() }, async () => { ran.push('handler') })
  app.get('/anonymous', { preHandler: app.login.guardAnonymous({ redirectUrl: '/home' }) }, async () => {
    ran.push('handler')
  })
  app.get('/verified', { preHandler: app.login.verify }, async () => { ran.push('handler') })
  const [laptop, phone] = [visitor(), visitor()]
  for (const browser of [laptop, phone]) await browser.signIn(user('ann'), { remember: 5 })
  made.told()
  return { ...made, ran, laptop, phone }
}

type House = Awaited<ReturnType<typeof house>>
type Act = (browser: Browser, house: House) => ReturnType<Browser['send']>

const closed = (act: Act): Act => (browser, house) => {
  browser.close()
  return act(browser, house)
}

/** What asks the store, by the method it needs. */
const acts: { [method in Method]: { [name: string]: Act } } = {
  create: {
    'a first login': (browser, { user }) => {
      browser.jar.clear()
      return browser.signIn(user('ann'), { remember: true })
    },
    'another login': (browser, { user }) => browser.signIn(user('ann'))
  },
  find: {
    'a guarded page': (browser) => browser.get('/secrets'),
    'a page that throws for strangers': (browser) => browser.get('/verified'),
    'a page for strangers': (browser) => browser.get('/anonymous'),
    'asking who it is': (browser) => browser.get('/who'),
    'a WebSocket upgrade': (browser) => browser.get('/secrets', { connection: 'upgrade', upgrade: 'websocket' }),
    'a confirmation': (browser) => browser.does((_request, reply) => reply.confirmLogin()),
    'a confirmation of a changed user': (browser, { user }) =>
      browser.does((_request, reply) => reply.confirmLogin(user('ann'))),
    'a logout of the others': (browser) => browser.does((_request, reply) => reply.logoutUser({ scope: 'others' }))
  },
  touch: {
    'a guarded page': (browser) => browser.get('/secrets')
  },
  rotate: {
    'a guarded page': closed((browser) => browser.get('/secrets')),
    'asking who it is': closed((browser) => browser.get('/who')),
    'a WebSocket upgrade': closed((browser) => browser.get('/secrets', { connection: 'upgrade', upgrade: 'websocket' }))
  },
  delete: {
    'a logout': (browser) => browser.signOut(),
    'a logout of who is remembered': closed((browser) => browser.signOut()),
    'a revocation': (browser, { app }) => browser.does(() => app.login.revoke('ann', sidOf(browser)))
  },
  list: {
    'a list of devices': (browser, { app }) => browser.does(() => app.login.list('ann'))
  },
  deleteAll: {
    'a logout of the others': (browser) => browser.does((_request, reply) => reply.logoutUser({ scope: 'others' })),
    'a logout everywhere': (browser) => browser.does((_request, reply) => reply.logoutUser({ scope: 'everywhere' })),
    'a revocation of all': (browser, { app }) => browser.does(() => app.login.revokeAll('ann'))
  }
}

const cases = Object.entries(acts).flatMap(([method, byName]) =>
  Object.entries(byName).map(([name, act]) => ({ method: method as Method, name, act })))

t.test('a store that fails is a 503 with its cause: nobody passes, nobody is logged out, no cookie goes', async (t) => {
  for (const { method, name, act } of cases) {
    for (const [how, used] of [['fail', 100], ['fail', 400], ['throwIn', 100]] as const) {
      const here = await house()
      const { laptop, phone, faults, clock, errors, ran, told, sids } = here
      const what = `${name}, ${method}() ${how === 'fail' ? 'rejects' : 'throws'} after ${used} seconds`
      clock.advance(used)
      const [before, records] = [new Map(laptop.jar), await sids('ann')]
      const cause = new Error('connection lost')
      faults[how](method, cause)
      const response = await act(laptop, here)
      t.equal(response.statusCode, 503, what)
      t.strictSame(response.json(), {
        statusCode: 503,
        code: 'FST_LOGIN_STORE_FAILED',
        error: 'Service Unavailable',
        message: `the login store failed in ${method}(); the cookies stay as they were`
      })
      t.equal(errors.at(-1)?.cause, cause)
      t.strictSame([setCookies(response), ran, told()], [[], [], []], `${what}: no cookie, no handler, no event`)

      faults.mend()
      t.strictSame(await sids('ann'), records)
      laptop.jar.clear()
      for (const [key, cookie] of before) laptop.jar.set(key, cookie)
      t.match(await laptop.who(), { user: 'ann', kind: 'fresh' }, what)
      t.strictSame([await comeBack(laptop), await comeBack(phone)], ['ann', 'ann'])
    }
  }
})

t.test('a store that is slow, or back again in the middle, only takes longer', async (t) => {
  for (const { method, name, act } of cases) {
    const [quick, slow] = [await house(), await house()]
    const outcome = async (here: House, response: Awaited<ReturnType<Act>>) => {
      const events = here.told().map(({ event }) => event)
      const restarts = [(await here.laptop.who()).user, await comeBack(here.laptop), await comeBack(here.phone)]
      return { status: response.statusCode, cookies: setCookies(response), events, ran: here.ran, restarts }
    }
    for (const { clock } of [quick, slow]) clock.advance(100)
    const expected = await outcome(quick, await act(quick.laptop, quick))

    const waiting = slow.faults.hold(method)
    const answer = act(slow.laptop, slow)
    await waiting.reached
    t.equal((await slow.phone.get('/public')).body, 'public', 'others are served meanwhile')
    t.strictSame(slow.ran, [], `${name}, while ${method}() is waited for`)
    waiting.release()
    t.strictSame(await outcome(slow, await answer), expected)
  }
})

t.test('signing in over another user, whose record cannot be deleted, is no login', async (t) => {
  const { laptop, faults, user, sids, told } = await house()
  const before = [new Map(laptop.jar), new Set(await sids('ann'))]
  faults.fail('delete', new Error('once'))
  faults.calls.length = 0
  const answer = laptop.signIn(user('bob'), { remember: 9 })
  t.match(await answer, { statusCode: 503 })
  t.strictSame(
    faults.calls.map(({ method }) => method),
    ['create', 'delete', 'delete'],
    'what was begun is taken back, as far as that goes'
  )
  t.strictSame([laptop.jar, told()], [before[0], []])
  faults.mend()
  t.match(await laptop.who(), { user: 'ann', kind: 'fresh', remembered: true })
})

t.test('a failing store asks no other source: requestLoader would make somebody else of the visitor', async (t) => {
  const { laptop, visitor, faults } = await house()
  t.match(await visitor().who(), { user: 'bob', kind: 'request' })
  faults.fail('find', new Error('down'))
  t.equal((await laptop.get('/who')).statusCode, 503)
  t.match(await visitor().who(), { user: 'bob' }, 'who carries no login is not concerned')
})

t.test('within storeCheckSeconds a failing store is not noticed, and after that nobody passes', async (t) => {
  const { faults, clock, visitor, user } = await siteOverStore({ storeCheckSeconds: 30 })
  const ann = visitor()
  await ann.signIn(user('ann'))
  await ann.who()
  for (const method of ['find', 'touch'] as const) faults.fail(method, new Error('down'))
  clock.advance(29)
  t.match(await ann.who(), { user: 'ann' })
  clock.advance(1)
  t.equal((await ann.get('/who')).statusCode, 503)
  t.equal((await ann.get('/who')).statusCode, 503, 'a failure is no answer to be used again')
  faults.mend()
  t.match(await ann.who(), { user: 'ann' })
})

t.test('a revocation that failed is not forgotten: the next request asks the store', async (t) => {
  const { app, faults, visitor, user } = await siteOverStore({ storeCheckSeconds: 30 })
  const ann = visitor()
  await ann.signIn(user('ann'))
  await ann.who()
  faults.fail('delete', new Error('timed out, and perhaps done'))
  await t.rejects(app.login.revoke('ann', sidOf(ann)), { code: 'FST_LOGIN_STORE_FAILED', statusCode: 503 })
  faults.mend()
  faults.count('find')
  t.match(await ann.who(), { user: 'ann' })
  t.equal(faults.count('find'), 1)
})

t.test('the store is the object that was given, not a copy of its methods', async (t) => {
  const real = memoryStore()
  const own = { ...real, asked: 0 }
  own.find = function (this: typeof own, ...args) {
    this.asked++
    return real.find(...args)
  }
  const { visitor, user } = await site({ store: own })
  const ann = visitor()
  await ann.signIn(user('ann'))
  t.match(await ann.who(), { user: 'ann' })
  t.equal(own.asked, 1)
  own.find = async () => null
  t.match(await ann.who(), { user: null })
})
