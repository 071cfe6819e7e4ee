import { createRequire } from 'node:module'
import cookie from '@fastify/cookie'
import Fastify from 'fastify'
import type { FastifyInstance, FastifyPluginCallback, LoginUser } from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import fastifyLogin, { memoryStore } from '../../src/index.js'
import type { FastifyLoginOptions } from '../../src/index.js'
import { Browser, setCookies } from '../support/browser.js'
import { Clock, DAY } from '../support/clock.js'
import { listen } from '../support/events.js'
import { furnish } from '../support/site.js'
import { claimsOf, SECRET } from '../support/tokens.js'
import { people } from '../support/users.js'
import type { TestUser } from '../support/users.js'

// Required, not imported: both packages declare a type of request.session too, and TypeScript keeps the first it meets.
const require = createRequire(import.meta.url)
const session = require('@fastify/session') as FastifyPluginCallback<Record<string, unknown>>
const secureSession = require('@fastify/secure-session') as FastifyPluginCallback<Record<string, unknown>>

const CARRIERS: Record<string, (app: FastifyInstance, path?: string) => Promise<void>> = {
  '@fastify/session': async (app, path = '/') => {
    await app.register(cookie)
    await app.register(session, {
      secret: SECRET, cookieName: 'theirs', cookie: { secure: false, path }, saveUninitialized: false, rolling: false
    })
  },
  '@fastify/secure-session': async (app, path = '/') => {
    await app.register(secureSession, { key: Buffer.alloc(32, 'k'), cookieName: 'theirs', cookie: { path } })
  }
}

async function external (carrier: string, options: FastifyLoginOptions = {}, path?: string) {
  const clock = new Clock()
  const { byId, userLoader } = people({ id: 'ann', name: 'Ann', password: 'hash 1' }, { id: 0, name: 'Zoe' })
  const app = Fastify()
  await CARRIERS[carrier]!(app, path)
  await app.register(fastifyLogin, { secret: SECRET, session: 'external', userLoader, clock: clock.read, ...options })
  furnish(app)
  return { app, clock, ann: byId.get('ann')!, zoe: byId.get(0)!, byId, visitor: () => new Browser(app) }
}

function overEach (name: string, test: (t: Test, carrier: string) => Promise<void>): void {
  for (const carrier of Object.keys(CARRIERS)) t.test(`${name} (${carrier})`, (t) => test(t, carrier))
}

overEach('login, guards and logout on another plugin\'s session need no session cookie of ours', async (t, carrier) => {
  const { ann, zoe, visitor } = await external(carrier)
  const browser = visitor()
  t.match(await browser.get('/members'), { statusCode: 302, headers: { location: '/login?next=%2Fmembers' } })
  const response = await browser.signIn(ann)
  t.match(response, { statusCode: 302, headers: { vary: 'Cookie' } })
  t.strictSame(setCookies(response), ['theirs'])
  t.equal((await browser.get('/members')).body, 'Ann')
  t.equal((await browser.get('/fresh')).body, 'Ann')
  t.match(await browser.who(), { user: 'ann', kind: 'fresh', remembered: false })
  t.equal((await browser.get('/public')).headers.vary, undefined)
  await browser.signIn(zoe, { fresh: false })
  t.match(await browser.who(), { user: 0, userId: 0, kind: 'stale' })
  await browser.can((_request, reply) => reply.confirmLogin())
  t.match(await browser.who(), { user: 0, kind: 'fresh' })
  await browser.signOut()
  t.strictSame(await browser.who(), { user: null, kind: 'anonymous' })
})

overEach('a login leaves nothing of the session before it, and a logout nothing of the login', async (t, carrier) => {
  const { ann, visitor } = await external(carrier)
  const browser = visitor()
  const put = (values: object) => browser.can((request) => { Object.assign(request.session, values) })
  const read = async () =>
    (await browser.does(
      (request) => ['draft', 'letters'].map((key) => Reflect.get(request.session, key) ?? null)
    )).json()
  await put({ draft: 'of a stranger' })
  await browser.signIn(ann)
  t.strictSame(await read(), [null, null])
  await put({ letters: 'dear Bob' })
  t.strictSame(await read(), [null, 'dear Bob'])
  await browser.signOut()
  t.strictSame(await read(), [null, null])
})

t.test('login and logout change the session id, and ids before are worth nothing (@fastify/session)', async (t) => {
  const { app, ann, visitor } = await external('@fastify/session')
  const browser = visitor()
  await browser.can((request) => { Object.assign(request.session, { planted: true }) })
  const planted = browser.cookie('theirs')!
  await browser.signIn(ann)
  const signedIn = browser.cookie('theirs')!
  await browser.signOut()
  t.equal(new Set([planted, signedIn, browser.cookie('theirs')]).size, 3)
  for (const theirs of [planted, signedIn]) {
    t.strictSame((await app.inject({ url: '/who', cookies: { theirs } })).json(), { user: null, kind: 'anonymous' })
  }
})

overEach('a remember cookie brings people back, stale, with its days', async (t, carrier) => {
  const { app, clock, ann, visitor } = await external(carrier, { remember: { maxDays: 20 } })
  const heard = listen(app.login)
  const browser = visitor()
  t.strictSame(setCookies(await browser.signIn(ann, { remember: 7 })), ['_remember', 'theirs'])
  clock.advance(3 * DAY)
  browser.jar.delete('theirs')
  const response = await browser.get('/members')
  t.equal(response.body, 'Ann')
  t.strictSame(setCookies(response), ['_remember', 'theirs'])
  t.match(claimsOf(browser.cookie('_remember')), { days: 7, exp: clock.seconds + 7 * DAY })
  t.match(await browser.who(), { user: 'ann', kind: 'stale', remembered: true })
  t.strictSame(setCookies(await browser.get('/members')), [])
  await browser.signOut()
  t.equal(browser.cookie('_remember'), undefined)
  t.strictSame(heard.map(({ event }) => event), ['login', 'restore', 'logout'])
})

overEach('a bad remember cookie is cleared', async (t, carrier) => {
  const { visitor } = await external(carrier)
  const browser = visitor()
  browser.keep({ _remember: 'garbage' })
  t.strictSame(setCookies(await browser.get('/members')), ['-_remember'])
})

overEach('stamp, protection and the loader end what they have to end', async (t, carrier) => {
  const userStamp = (user: LoginUser) => (user as TestUser).password ?? ''
  const ways: Record<string, [
    FastifyLoginOptions, (all: { ann: TestUser, byId: Map<unknown, TestUser> }) => void, Record<string, string>
  ]> = {
    stamp: [{ userStamp }, ({ ann }) => { ann.password = 'hash 2' }, {}],
    loader: [{}, ({ byId }) => { byId.delete('ann') }, {}],
    protection: [{ sessionProtection: 'strong' }, () => {}, { 'user-agent': 'Another machine' }]
  }
  for (const [name, [options, change, headers]] of Object.entries(ways)) {
    const { ann, byId, visitor } = await external(carrier, options)
    const browser = visitor()
    await browser.signIn(ann, { remember: 5 })
    t.match(await browser.who(), { user: 'ann' }, name)
    change({ ann, byId })
    t.match(await browser.get('/members', headers), { statusCode: 302 }, name)
    t.equal(browser.cookie('_remember'), undefined, name)
    t.match(await browser.who(), { user: null }, name)
  }
})

t.test('digests under an older secret count and are renewed (@fastify/secure-session)', async (t) => {
  const userStamp = (user: LoginUser) => (user as TestUser).password ?? ''
  const OLD = 'the secret of last year, long enough'
  const [before, rotated, after] = await Promise.all([[OLD], [SECRET, OLD], [SECRET]].map((secret) =>
    external('@fastify/secure-session', { secret, userStamp })))
  const browser = before!.visitor()
  await browser.signIn(before!.ann)
  for (const { visitor } of [rotated!, after!]) {
    const next = visitor()
    next.jar.set('theirs', browser.jar.get('theirs')!)
    t.match(await next.who(), { user: 'ann' })
    browser.jar.set('theirs', next.jar.get('theirs')!)
  }
})

overEach('a loader that fails is an error and signs nobody out', async (t, carrier) => {
  let failing = false
  const { ann, byId, visitor } = await external(carrier, {
    userLoader: async (id) => {
      if (failing) throw new Error('database down')
      return byId.get(id) as object
    }
  })
  const browser = visitor()
  await browser.signIn(ann, { remember: 5 })
  failing = true
  const response = await browser.get('/members')
  t.equal(response.statusCode, 500)
  t.strictSame(setCookies(response), [])
  failing = false
  t.match(await browser.who(), { user: 'ann', kind: 'fresh', remembered: true })
})

overEach('the way back is kept in their session, used once', async (t, carrier) => {
  const { ann, visitor } = await external(carrier, { nextIn: 'session' })
  const browser = visitor()
  t.match(await browser.get('/members?page=2'), { headers: { location: '/login' } })
  t.match(await browser.signIn(ann), { headers: { location: '/members?page=2' } })
  t.match(await browser.signIn(ann), { headers: { location: '/' } })
})

t.test('where the other plugin puts no session, nobody is signed in and nobody can sign in', async (t) => {
  const { app, ann } = await external('@fastify/session', {}, '/inside')
  app.post('/inside/in', async (_request, reply) => reply.loginUser(ann, { remember: 5 }))
  app.get('/inside/members', { preHandler: app.login.guard() }, async () => 'in')
  app.post('/out', async (_request, reply) => reply.logoutUser().then(() => 'out'))
  const browser = new Browser(app)
  await browser.post('/inside/in')
  t.equal((await browser.get('/inside/members')).body, 'in')
  const remember = browser.jar.get('_remember')!
  browser.jar.delete('_remember')
  t.match(await browser.get('/members'), { statusCode: 302 })
  const visitor = new Browser(app)
  t.match((await visitor.signIn(ann, { remember: 5 })).json(), { statusCode: 500, code: 'FST_LOGIN_INVALID_OPTIONS' })
  t.equal(visitor.jar.size, 0)
  browser.jar.set('_remember', remember)
  t.match(await browser.get('/members'), { statusCode: 302 }, 'remembered, but there is nowhere to restore to')
  t.equal((await browser.get('/inside/members')).body, 'in')
  t.match(await browser.post('/out'), { statusCode: 200 })
  t.equal(browser.cookie('_remember'), undefined)
})

overEach('logout after their session was ended in the same request', async (t, carrier) => {
  const { ann, visitor } = await external(carrier)
  const browser = visitor()
  await browser.signIn(ann, { remember: 5 })
  const response = await browser.does(async (request, reply) => {
    const theirs = request.session as unknown as { destroy?: () => Promise<void>, delete?: () => void }
    await request.getCurrentUser()
    if (carrier === '@fastify/session') {
      await theirs.destroy!()
      t.equal(request.currentUser, null)
    } else theirs.delete!()
    await reply.logoutUser()
  })
  t.equal(response.statusCode, 200)
  t.equal(browser.cookie('_remember'), undefined)
  t.match(await browser.who(), { user: null })
})

t.test('with an external session start-up says what is missing, or in the way', async (t) => {
  const options: FastifyLoginOptions = { secret: SECRET, userLoader: () => null }
  const bare = Fastify()
  await t.rejects(async () => bare.register(fastifyLogin, { ...options, session: 'external' }),
    { code: 'FST_LOGIN_INVALID_OPTIONS', message: /external.*request\.session.*register that plugin before/ })
  for (const register of Object.values(CARRIERS)) {
    const app = Fastify()
    await register(app)
    await t.rejects(async () => app.register(fastifyLogin, options), {
      code: 'FST_LOGIN_INVALID_OPTIONS', message: /session: 'external'/
    })
  }
})

t.test('with an external session cookiesFor is left to the other plugin', async (t) => {
  const { app, ann } = await external('@fastify/secure-session')
  await t.rejects(app.login.cookiesFor(ann), { code: 'FST_LOGIN_INVALID_OPTIONS', message: /other plugin/ })
})

t.test('a second login in external sessions is refused: areas would share the one that a session holds', async (t) => {
  for (const [carrier, register] of Object.entries(CARRIERS)) {
    const app = Fastify()
    await register(app)
    const area = (name: string, secret: string) => app.register(async (child) => {
      await child.register(fastifyLogin, {
        userLoader: people().userLoader, secret, session: 'external', remember: { cookieName: name }
      })
    })
    await area('shop', SECRET)
    await t.rejects(
      Promise.resolve(area('admin', 'another secret of more than 32 bytes')),
      { code: 'FST_LOGIN_INVALID_OPTIONS', message: /one login/ },
      carrier
    )
  }
})

overEach('a response whose headers are gone restores for itself alone, and uses no token up', async (t, carrier) => {
  const { app, ann, visitor } = await external(carrier, { store: memoryStore() })
  const browser = visitor()
  await browser.signIn(ann, { remember: true })
  browser.close()
  const before = browser.cookie('_remember')
  await browser.does(async (request, reply) => {
    reply.hijack()
    t.match(await request.getCurrentUser(), { id: 'ann' })
    reply.raw.end()
  })
  t.equal(browser.cookie('_remember'), before)
  t.match(await browser.who(), { user: 'ann', kind: 'stale' })
  t.equal((await app.login.list('ann')).length, 1)
})
