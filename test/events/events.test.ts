import diagnostics from 'node:diagnostics_channel'
import { Writable } from 'node:stream'
import t from 'tap'
import type { FastifyRequest } from 'fastify'
import type { FastifyLoginOptions, LoginEvents } from '../../src/index.js'
import { build } from '../support/app.js'
import { Browser } from '../support/browser.js'
import { START } from '../support/clock.js'
import { listen } from '../support/events.js'
import { furnish, site } from '../support/site.js'
import { claimsOf } from '../support/tokens.js'
import { people } from '../support/users.js'

interface Line { level: number, msg: string, event?: string, err?: { message: string } }

/** A site that remembers its requests and its log. */
async function watched (options: FastifyLoginOptions = {}) {
  const lines: Line[] = []
  const requests: FastifyRequest[] = []
  const stream = new Writable({ write: (line, _encoding, done) => { lines.push(JSON.parse(String(line))); done() } })
  const { byId, userLoader } = people()
  const app = await build({ clock: () => START, userLoader, ...options }, { logger: { level: 'warn', stream } })
  app.addHook('onRequest', async (request) => { requests.push(request) })
  furnish(app)
  return { app, lines, requests, ann: byId.get('ann')!, byId, visitor: () => new Browser(app) }
}

t.test('every event tells the whole story: request, user, id, sid', async (t) => {
  const { app, requests, ann, visitor } = await watched({ sessionProtection: 'basic' })
  const heard = listen(app.login)
  const browser = visitor()
  /** What was told of the request just made, in order. */
  const told = () => heard.splice(0).map(({ event, payload: { request, ...payload } }) => {
    t.equal(request, requests.at(-1), `${event}: the request`)
    if ('user' in payload) t.equal(payload.user, ann, `${event}: the user`)
    return [event, payload]
  })

  await browser.signIn(ann, { remember: 5 })
  const sid = claimsOf(browser.cookie('session')).sid
  const who = { user: ann, userId: 'ann', sid }
  t.strictSame(told(), [['login', { ...who, remembered: true }]])
  browser.close()
  await browser.get('/fresh')
  t.strictSame(told(), [['restore', who], ['needsRefresh', { user: ann }]])
  await browser.can((_request, reply) => reply.confirmLogin())
  t.strictSame(told(), [['confirm', who]])
  await browser.get('/members', { 'user-agent': 'Another machine' })
  t.strictSame(told(), [['protect', { ...who, mode: 'basic' }]])
  await browser.signOut()
  t.strictSame(told(), [['logout', { ...who, scope: 'this' }]])
  await browser.get('/members')
  t.strictSame(told(), [['unauthorized', {}]])
  await browser.get('/public')
  t.strictSame(told(), [])
  browser.keep({ session: 'garbage', _remember: 'gar.ba.ge' })
  await browser.get('/fresh')
  t.strictSame(told(), [
    ['invalidToken', { cookie: 'session', reason: 'malformed' }],
    ['invalidToken', { cookie: '_remember', reason: 'malformed' }],
    ['unauthorized', {}]
  ])
  await browser.signIn(ann)
  t.match(told(), [['login', { ...who, sid: String, remembered: false }]])
})

t.test('strong protection tells its mode and the user it ended', async (t) => {
  const { app, ann, visitor } = await watched({ sessionProtection: 'strong' })
  const heard = listen(app.login)
  const browser = visitor()
  await browser.signIn(ann)
  const sid = claimsOf(browser.cookie('session')).sid
  await browser.get('/members', { 'user-agent': 'Another machine' })
  const { request, ...payload } = heard[1]!.payload
  t.strictSame([heard[1]!.event, payload], ['protect', { user: ann, userId: 'ann', sid, mode: 'strong' }])
})

t.test('verify and verifyFresh tell the same as the guards', async (t) => {
  const { app, requests, ann, visitor } = await watched()
  const heard = listen(app.login)
  const browser = visitor()
  t.match(await browser.does((request, reply) => app.login.verify(request, reply)), { statusCode: 401 })
  await browser.signIn(ann, { fresh: false })
  t.match(await browser.does((request, reply) => app.login.verifyFresh(request, reply)), { statusCode: 401 })
  t.strictSame(heard.map(({ event }) => event), ['unauthorized', 'login', 'needsRefresh'])
  t.equal(heard[0]!.payload.request, requests[0])
  t.strictSame(heard[2]!.payload, { request: requests[2], user: ann })
})

t.test('events come after the change and before the answer', async (t) => {
  const { app, ann, visitor } = await watched()
  const seen: unknown[] = []
  const see = (event: string) =>
    ({ request }: { request: FastifyRequest }) => { seen.push([event, request.currentUser, request.loginState.kind]) }
  for (const event of ['login', 'confirm', 'logout'] as const) app.login.on(event, see(event))
  app.addHook('onSend', async () => { seen.push('answer') })
  const browser = visitor()
  await browser.signIn(ann)
  await browser.can((_request, reply) => reply.confirmLogin())
  await browser.signOut()
  t.strictSame(seen, [
    ['login', ann, 'fresh'], 'answer', ['confirm', ann, 'fresh'], 'answer', ['logout', null, 'anonymous'], 'answer'
  ])
})

t.test('logout tells of a login only, with its id always and with its user for whoever listens', async (t) => {
  const loads: unknown[] = []
  const { app, ann, byId, visitor } = await watched({
    userLoader: (id) => {
      loads.push(id)
      return byId.get(id) as object
    }
  })
  const browser = visitor()
  await browser.signIn(ann)
  await browser.signOut()
  t.strictSame(loads, [], 'nobody listens, nobody is loaded')

  const heard: LoginEvents['logout'][] = []
  app.login.on('logout', (payload) => { heard.push(payload) })
  await browser.signOut()
  await visitor().signOut()
  t.strictSame(heard, [], 'nobody was signed in')

  await browser.signIn(ann)
  await browser.signOut()
  t.strictSame([loads, heard[0]?.user, heard[0]?.userId], [['ann'], ann, 'ann'], 'not loaded before')
  await browser.signIn(ann)
  await browser.can(async (request, reply) => {
    await request.getCurrentUser()
    await reply.logoutUser()
  })
  t.strictSame([loads, heard[1]?.user], [['ann', 'ann'], ann], 'loaded already')
})

t.test('the logout stands where its user cannot be loaded for the event', async (t) => {
  const failures = [
    () => { throw new Error('down') }, async () => { throw new Error('down') }, () => ({ name: 'no id' })
  ]
  for (const userLoader of failures) {
    const { app, lines, ann, visitor } = await watched({ userLoader })
    const heard = listen(app.login)
    const browser = visitor()
    await browser.signIn(ann, { remember: 5 })
    t.equal((await browser.signOut()).statusCode, 200)
    t.equal(browser.jar.size, 0)
    t.match(heard[1], { event: 'logout', payload: { user: null, userId: 'ann', scope: 'this' } })
    t.match(lines, [{ level: 50, msg: 'the user of a logout could not be loaded', err: { message: String } }])
  }
  const { app, lines, ann, byId, visitor } = await watched()
  const heard = listen(app.login)
  const browser = visitor()
  await browser.signIn(ann)
  byId.clear()
  await browser.signOut()
  t.match(heard[1], { event: 'logout', payload: { user: null, userId: 'ann' } }, 'gone')
  t.strictSame(lines, [])
})

t.test('on hears every event and once the first, in the order they were added, and off ends either', async (t) => {
  const { app, ann, visitor } = await watched()
  const calls: string[] = []
  const says = (name: string) => () => { calls.push(name) }
  const [left, early] = [says('left'), says('early')]
  app.login.on('login', says('first'))
  app.login.once('login', says('once'))
  app.login.on('login', left)
  app.login.once('login', early)
  app.login.off('login', early)
  app.login.on('login', says('last'))
  await visitor().signIn(ann)
  app.login.off('login', left)
  await visitor().signIn(ann)
  t.strictSame(calls, ['first', 'once', 'left', 'last', 'first', 'last'])
})

t.test('a listener of invalidToken may ask who it is, and hears of it once', async (t) => {
  const asks: { [how: string]: (request: FastifyRequest) => unknown } = {
    'a value of the session': (request) => request.session.get('cart'),
    'the login state': (request) => request.loginState,
    'the user': (request) => request.getCurrentUser()
  }
  for (const cookie of ['session', '_remember']) {
    for (const [how, ask] of Object.entries(asks)) {
      const { app, lines } = await watched({ requestLoader: () => null })
      const heard: unknown[] = []
      app.login.on('invalidToken', ({ request, ...rest }) => {
        heard.push(rest)
        return ask(request)
      })
      t.match(await app.inject({ url: '/members', headers: { cookie: `${cookie}=garbage` } }), { statusCode: 302 })
      t.strictSame(heard, [{ cookie, reason: 'malformed' }], `${cookie}, ${how}`)
      t.notOk(lines.some(({ err }) => err?.message.includes('call stack')))
    }
  }
})

t.test('a listener that throws or rejects is logged, stops no other, and changes nothing', async (t) => {
  const { app, lines, ann, visitor } = await watched()
  const calls: string[] = []
  for (const event of [
    'login', 'restore', 'confirm', 'logout', 'unauthorized', 'needsRefresh', 'invalidToken'
  ] as const) {
    app.login.on(event, () => { throw new Error(`${event} threw`) })
    app.login.once(event, async () => { throw new Error(`${event} rejected`) })
    app.login.on(event, () => { calls.push(event) })
  }
  const browser = visitor()
  t.match(await browser.signIn(ann, { remember: 5 }), { statusCode: 302 })
  browser.close()
  t.match(await browser.get('/fresh'), { statusCode: 302 })
  t.match(await browser.does((_request, reply) => reply.confirmLogin()), { statusCode: 200 })
  t.match(await browser.who(), { user: 'ann', kind: 'fresh' })
  t.match(await browser.signOut(), { statusCode: 200 })
  browser.keep({ session: 'garbage' })
  t.match(await browser.get('/members'), { statusCode: 302 })
  const order = ['login', 'restore', 'needsRefresh', 'confirm', 'logout', 'invalidToken', 'unauthorized']
  t.strictSame(calls, order)
  t.strictSame(lines.map(({ level, event, err, msg }) => [level, event, err?.message, msg]).sort(),
    order.flatMap((event) => ['rejected', 'threw'].map((how) => [
      50, event, `${event} ${how}`, 'a listener of fastify-login failed'
    ])).sort())
})

t.test('the same payloads go out on diagnostics channels, with or without listeners here', async (t) => {
  const { app, requests, ann, visitor } = await watched()
  const published: [string | symbol, unknown][] = []
  const subscriber = (message: unknown, name: string | symbol) => { published.push([name, message]) }
  const names = ['login', 'logout', 'unauthorized'].map((event) => `fastify-login:${event}`)
  for (const name of names) diagnostics.subscribe(name, subscriber)
  t.teardown(() => { for (const name of names) diagnostics.unsubscribe(name, subscriber) })

  const browser = visitor()
  await browser.signIn(ann, { remember: 5 })
  const { sid } = claimsOf(browser.cookie('session'))
  await browser.signOut()
  await browser.get('/members')
  t.strictSame(published.map(([name]) => name), names)
  const [login, logout, unauthorized] = published.map(([, payload]) => payload as Record<string, unknown>)
  t.strictSame(Object.keys(login!).sort(), ['remembered', 'request', 'sid', 'user', 'userId'])
  t.ok(
    login!.request === requests[0] && login!.user === ann && login!.sid === sid && login!.userId === 'ann' &&
      login!.remembered === true
  )
  t.strictSame(Object.keys(logout!).sort(), ['request', 'scope', 'sid', 'user', 'userId'])
  t.equal(logout!.user, ann, 'loaded for the subscriber')
  t.ok(logout!.request === requests[1] && logout!.userId === 'ann' && logout!.sid === sid && logout!.scope === 'this')
  t.ok(Object.keys(unauthorized!).join() === 'request' && unauthorized!.request === requests[2])

  const heard: unknown[] = []
  app.login.on('login', (payload) => { heard.push(payload) })
  await browser.signIn(ann)
  t.equal(heard[0], published.at(-1)![1])
})

t.test('no payload and no log line carries a token or a secret', async (t) => {
  const { user, visitor, app } = await site()
  const heard = listen(app.login)
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 5 })
  const tokens = [ann.cookie('session')!, ann.cookie('_remember')!]
  ann.close()
  await ann.get('/members')
  await ann.signOut()
  const said = JSON.stringify(heard.map(({ payload: { request, ...payload } }) => payload))
  t.notOk(tokens.some((token) => said.includes(token) || said.includes(token.split('.')[2]!)))
})
