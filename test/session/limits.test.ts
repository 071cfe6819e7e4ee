import t from 'tap'
import { build, buildSession } from '../support/app.js'
import { onePage, setCookies } from '../support/browser.js'
import { Clock } from '../support/clock.js'
import { claimsOf, forge } from '../support/tokens.js'

const IDLE = 1000
const ABSOLUTE = 4000

async function start (options = {}) {
  const clock = new Clock()
  const limits = { idleSeconds: IDLE, absoluteSeconds: ABSOLUTE, clock: clock.read }
  const { app, visit, browser } = onePage(await buildSession({ ...limits, ...options }))
  await visit((session) => session.set('cart', 1))
  const token = () => browser.cookie('session')
  const look = async () => {
    const response = await visit((session) => session.get('cart'))
    return { cart: response.json() as unknown, cookies: setCookies(response) }
  }
  return { app, clock, visit, browser, token, look }
}

t.test('the token says when it ends: idle or absolute limit, whichever comes first', async (t) => {
  const { clock, token, visit } = await start()
  const born = clock.seconds
  t.match(claimsOf(token()), { iat: born, born, exp: born + IDLE })
  clock.advance(IDLE - 1)
  await visit((session) => session.set('cart', 2))
  t.match(claimsOf(token()), { iat: born + IDLE - 1, born, exp: born + 2 * IDLE - 1 })
  for (let step = 0; step < 3; step++) {
    clock.advance(IDLE - 200)
    await visit((session) => session.set('cart', step))
  }
  t.match(claimsOf(token()), { iat: born + 3399, born, exp: born + ABSOLUTE })
})

t.test('by default a session ends after a day without requests, and after thirty days altogether', async (t) => {
  const clock = new Clock()
  const { visit, browser } = onePage(await buildSession({ clock: clock.read }))
  await visit((session) => session.set('cart', 1))
  t.equal(claimsOf(browser.cookie('session')).exp, clock.seconds + 86_400)
  const born = clock.seconds
  for (let hours = 0; hours < 29 * 24 + 1; hours += 20) {
    clock.advance(20 * 3600)
    await visit((session) => session.get('cart'))
  }
  t.match(claimsOf(browser.cookie('session')), { born, exp: born + 2_592_000, data: { cart: 1 } })
})

t.test('a session not used for idleSeconds has ended, whatever the browser still sends', async (t) => {
  const { clock, look } = await start()
  clock.advance(IDLE - 0.001)
  t.same((await look()).cart, 1)

  const { clock: other, look: lookAgain } = await start()
  other.advance(IDLE)
  t.same(await lookAgain(), { cart: null, cookies: ['-session'] })
})

t.test('a session in use ends at absoluteSeconds', async (t) => {
  const { clock, look } = await start()
  for (let step = 0; step < 5; step++) {
    clock.advance(600)
    t.same(await look(), { cart: 1, cookies: ['session'] })
  }
  clock.advance(999)
  t.same(await look(), { cart: 1, cookies: [] }, 'the last moment')
  clock.advance(1)
  t.same(await look(), { cart: null, cookies: ['-session'] })
})

t.test('renewal comes when more than half of idleSeconds is used up, not before', async (t) => {
  const { clock, look, token } = await start()
  clock.advance(IDLE / 2)
  t.same(await look(), { cart: 1, cookies: [] })
  clock.advance(1)
  t.same(await look(), { cart: 1, cookies: ['session'] })
  t.match(claimsOf(token()), {
    iat: clock.seconds, exp: clock.seconds + IDLE, born: clock.seconds - IDLE / 2 - 1, data: { cart: 1 }
  })
  t.same((await look()).cookies, [], 'once')
})

t.test('renewal counts on what was asked: a route that never asks extends nothing', async (t) => {
  const { clock, visit, look } = await start()
  clock.advance(IDLE - 1)
  t.same(setCookies(await visit(() => null)), [])
  clock.advance(1)
  t.same((await look()).cart, null)
})

t.test('a clock that is set back while a request runs shortens no session', async (t) => {
  const { clock, visit } = await start()
  clock.advance(IDLE - 1)
  t.same(setCookies(await visit((session) => {
    session.get('cart')
    clock.advance(-IDLE)
  })), [])
})

t.test('a renewal that could not lengthen the session is left out', async (t) => {
  const { clock, look, token } = await start({ idleSeconds: 4000, absoluteSeconds: 4000 })
  clock.advance(3000)
  t.same(await look(), { cart: 1, cookies: [] })
  t.equal(claimsOf(token()).exp, clock.seconds + 1000)
})

t.test('neither touch() nor a change moves the absolute limit', async (t) => {
  const { clock, visit, token } = await start({ idleSeconds: ABSOLUTE })
  const end = clock.seconds + ABSOLUTE
  clock.advance(ABSOLUTE - 10)
  t.same(setCookies(await visit((session) => session.touch())), ['session'])
  t.match(claimsOf(token()), { iat: clock.seconds, exp: end })
  await visit((session) => session.set('cart', 2))
  t.match(claimsOf(token()), { exp: end, data: { cart: 2 } })
})

t.test('an absolute limit lowered later counts for sessions that are out already', async (t) => {
  const { app, clock, token } = await start({ idleSeconds: ABSOLUTE })
  await app.close()
  clock.advance(1500)
  for (const [absoluteSeconds, cart, cookies] of [[1501, 1, []], [1500, null, ['-session']]] as const) {
    const { visit } = onePage(await buildSession({ absoluteSeconds, clock: clock.read }))
    const response = await visit((session) => session.get('cart'), { cookie: `session=${token()}` })
    t.equal(response.json(), cart)
    t.same(setCookies(response), cookies)
  }
})

t.test('a renewed token keeps the login it carries, and a login gets a limit of its own', async (t) => {
  const clock = new Clock()
  const { app, visit, browser } = onePage(await build({
    session: { idleSeconds: IDLE, absoluteSeconds: ABSOLUTE }, clock: clock.read
  }))
  app.post('/login', async (_request, reply) => reply.loginUser({ id: 'ann' } as object))
  await visit((session) => session.set('cart', 1))
  clock.advance(400)
  await browser.post('/login')
  const before = claimsOf(browser.cookie('session'))
  t.match(before, {
    iat: clock.seconds, born: clock.seconds, auth_time: clock.seconds, uid: 'ann', fresh: true, data: undefined
  })

  clock.advance(501)
  t.same(setCookies(await visit((_session, request) => request.getCurrentUser())), ['session'])
  t.same(claimsOf(browser.cookie('session')), { ...before, iat: clock.seconds, exp: clock.seconds + IDLE })
})

t.test('a route with config.login.renew false reads the session and does not extend it', async (t) => {
  const clock = new Clock()
  const app = await buildSession({ idleSeconds: IDLE, absoluteSeconds: ABSOLUTE, clock: clock.read })
  app.get('/poll', { config: { login: { renew: false } } }, async (request) => {
    const count = request.session.get('cart')
    if (request.query && Object.keys(request.query).length > 0) request.session.set('cart', 2)
    return { count }
  })
  const { visit, browser } = onePage(app)
  await visit((session) => session.set('cart', 1))
  clock.advance(IDLE - 1)
  const poll = await browser.get('/poll')
  t.same([poll.json(), setCookies(poll)], [{ count: 1 }, []])
  t.same(setCookies(await browser.get('/poll?change')), ['session'], 'a change is still written')

  clock.advance(IDLE)
  const late = await browser.get('/poll')
  t.same([late.json(), setCookies(late)], [{}, ['-session']], 'and the end is the end')
})

t.test('exp counts to the millisecond, by the clock given and not by the wall', async (t) => {
  const clock = new Clock()
  const app = await buildSession({ clock: clock.read })
  app.get('/', async (request) => request.session.data())
  const claims = { ck: 'session', iat: clock.seconds, born: clock.seconds, data: { cart: 1 } }
  const send = async (exp: number) =>
    (await app.inject({ url: '/', cookies: { session: forge({ ...claims, exp }) } })).json()
  clock.now += 999
  t.same(await send(clock.seconds + 0.001), { cart: 1 })
  t.same(await send(Math.floor(clock.seconds)), {})
})
