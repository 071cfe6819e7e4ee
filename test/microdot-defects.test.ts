import Fastify from 'fastify'
import t from 'tap'
import fastifyLogin from '../src/index.js'
import type { FastifyLoginOptions } from '../src/index.js'
import { build } from './support/app.js'
import { Browser, setCookies } from './support/browser.js'
import { DAY, START } from './support/clock.js'
import { site } from './support/site.js'
import { claimsOf, forge, SECRET } from './support/tokens.js'
import { people } from './support/users.js'

// What an older login extension gets wrong, and no other test says in these words.

t.test('no target that a browser reads as another host is followed after login, wherever it comes from', async (t) => {
  const { app, user } = await site()
  app.post<{ Body: { next?: string } | null }>('/login', async (request, reply) =>
    reply.loginUser(user('ann'), { next: request.body?.next, redirectUrl: '/home' }))
  const targets = [
    '//evil.example', '///evil.example', '/\\evil.example', '/\t/evil.example', '/\n/evil.example', '/%09/../..//evil.example', 'https://evil.example'
  ]
  for (const target of targets) {
    const browser = new Browser(app)
    const asked = await browser.post(`/login?next=${encodeURIComponent(target)}`)
    t.match(asked, { statusCode: 302, headers: { location: '/home' } }, JSON.stringify(target))
    t.match(await browser.post('/login', { next: target }), { headers: { location: '/home' } }, JSON.stringify(target))
  }
})

t.test('a guarded catch-all route asked for as //host sends no way back to that host', async (t) => {
  const { app } = await site()
  app.get('/*', { preHandler: app.login.guard() }, async () => 'page')
  for (const path of ['//evil.example/x', '///evil.example', '/\\evil.example']) {
    const { statusCode, headers } = await app.inject({ url: 'http://localhost' + path })
    t.match([statusCode, headers.location], [302, '/login'], path)
  }
  t.equal((await app.inject('/x')).headers.location, '/login?next=%2Fx')
})

t.test('cookies set below /auth reach the whole site, and are cleared from anywhere', async (t) => {
  const { app, user } = await site()
  app.post('/auth/deep/login', async (_request, reply) => reply.loginUser(user('ann'), { remember: true }))
  app.post('/elsewhere', async (_request, reply) => reply.logoutUser().then(() => 'out'))
  for (const url of ['/auth/deep/login', '/elsewhere']) {
    const { cookies } = await app.inject({ method: 'POST', url })
    t.strictSame(cookies.map(({ name, path }) => [name, path]), [['_remember', '/'], ['session', '/']], url)
  }
})

t.test('values an application keeps under the names of claims are no login, in either cookie', async (t) => {
  const { app } = await site()
  const login = { uid: 'ann', sid: 'sid', auth_time: START / 1000, fresh: true }
  const data = { ...login, user_id: 'ann', days: 30, _login: login }
  const stranger = new Browser(app)
  await stranger.can((request) => { Object.assign(request.session, data) })
  t.match(await stranger.who(), { user: null, kind: 'anonymous' })
  stranger.keep({ _remember: stranger.cookie('session')! })
  t.match(await stranger.who(), { user: null, kind: 'anonymous' })
})

t.test('session values named like registered claims are just values, and nobody is signed out by them', async (t) => {
  const { user, visitor } = await site({ audience: 'shop' })
  const names = ['aud', 'sub', 'exp', 'iat', 'nbf', 'jti', 'iss', 'ck', 'born', 'next', 'fp', 'stamp']
  for (const name of names) {
    const ann = visitor()
    await ann.signIn(user('ann'))
    await ann.can((request) => { Object.assign(request.session, { [name]: 0 }) })
    t.match(await ann.who(), { user: 'ann', kind: 'fresh' }, name)
    await ann.can((request) => t.strictSame(request.session.data(), { [name]: 0 }, name))
  }
})

t.test('a session that says fresh and names nobody lends its freshness to no one who is remembered', async (t) => {
  const { user, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: true })
  const now = START / 1000
  for (const claims of [{ fresh: true }, { fresh: true, auth_time: now, sid: 'sid' }]) {
    const value = forge({ ck: 'session', iat: now, exp: now + DAY, born: now, ...claims })
    ann.keep({ session: value })
    t.match(await ann.get('/fresh'), { statusCode: 302 })
    t.match(await ann.who(), { user: 'ann', kind: 'stale' })
  }
})

t.test('the way back comes out as it went in: plus signs, percent signs and all', async (t) => {
  const { app, user } = await site({ loginUrl: '/login?lang=de' })
  app.get('/search', { preHandler: app.login.guard() }, async () => 'found')
  app.post('/login', async (_request, reply) => reply.loginUser(user('ann')))
  for (const url of ['/search?q=a+b', '/search?q=a%2Bb', '/search?q=100%25%20sure&q=a%26b', '/search?q=%2525+%E4%BD%A0']) {
    const browser = new Browser(app)
    const { location } = (await browser.get(url)).headers
    t.ok(location?.startsWith('/login?lang=de&next=%2Fsearch') && location.split('?').length === 2, url)
    t.equal((await browser.post(location!)).headers.location, url)
  }
})

t.test('programs are told 401 with a code, pages are redirected, and no other method than GET, HEAD and POST is repeated', async (t) => {
  const { app } = await site()
  app.route({ method: ['GET', 'POST', 'PUT', 'DELETE'], url: '/thing', preHandler: app.login.guard(), handler: async () => 'thing' })
  const cases = [
    ['GET', 'text/html', 302], ['POST', 'text/html', 302], ['PUT', 'text/html', 303], ['DELETE', 'text/html', 303],
    ['GET', 'application/json', 401], ['POST', 'application/json', 401]
  ] as const
  for (const [method, accept, status] of cases) {
    const response = await app.inject({ method, url: '/thing', headers: { accept } })
    t.equal(response.statusCode, status, `${method} ${accept}`)
    if (status === 401) t.match(response.json(), { code: 'FST_LOGIN_UNAUTHORIZED' })
  }
})

t.test('applications on one host stay apart: by cookie names, and by audience where they share names and secret', async (t) => {
  const users = people()
  const at = (options: FastifyLoginOptions) => site({ userLoader: users.userLoader, ...options })
  const shop = await at({ audience: 'shop' })
  const others = [
    await at({ audience: 'blog' }), await at({}),
    await at({ audience: 'shop', session: { cookieName: 'other' }, remember: { cookieName: '_other' } })
  ]
  const ann = shop.visitor()
  await ann.signIn(users.byId.get('ann')!, { remember: true })
  for (const [index, { visitor }] of others.entries()) {
    const there = visitor()
    const names = index === 2 ? ['other', '_other'] : ['session', '_remember']
    for (const [place, name] of names.entries()) there.keep({ [name]: ann.cookie(place === 0 ? 'session' : '_remember')! })
    t.match(await there.who(), { user: null, kind: 'anonymous' }, String(index))
    await there.signIn(users.byId.get('bob')!)
    t.match(await ann.who(), { user: 'ann' })
  }
  t.equal(claimsOf(ann.cookie('_remember')).aud, 'shop')
})

t.test('a login that would not fit into a cookie fails loudly and keeps the old cookie', async (t) => {
  const { user, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'))
  const response = await ann.does((request) => { Object.assign(request.session, { big: 'x'.repeat(6800) }) })
  t.match(response.json(), { statusCode: 500, code: 'FST_LOGIN_COOKIE_TOO_LARGE' })
  t.strictSame(setCookies(response), [])
  t.match(await ann.who(), { user: 'ann' })
})

t.test('weak secrets and missing loaders stop start-up', async (t) => {
  const userLoader = () => null
  const cases: [FastifyLoginOptions, string][] = [
    [{ secret: 'x', userLoader }, 'FST_LOGIN_SECRET_TOO_SHORT'],
    [{ secret: [SECRET, 'x'.repeat(31)], userLoader }, 'FST_LOGIN_SECRET_TOO_SHORT'],
    [{ userLoader }, 'FST_LOGIN_INVALID_OPTIONS'],
    [{ secret: SECRET }, 'FST_LOGIN_INVALID_OPTIONS']
  ]
  for (const [options, code] of cases) await t.rejects(async () => Fastify().register(fastifyLogin, options), { code })
})

t.test('options are never written to, frozen or shared by two applications', async (t) => {
  const frozen = <T extends object>(value: T): Readonly<T> => {
    for (const part of Object.values(value)) if (typeof part === 'object') frozen(part)
    return Object.freeze(value)
  }
  const options = frozen({
    cookie: { path: '/' },
    session: { cookie: { sameSite: 'strict' as const }, keepOnLogin: ['cart'] },
    remember: { cookie: {}, days: 3 },
    allowedOrigins: ['https://a.example']
  })
  const before = JSON.stringify(options)
  for (const users of [people(), people()]) {
    const app = await build({ userLoader: users.userLoader, ...options })
    app.post('/in', async (_request, reply) => reply.loginUser(users.byId.get('ann')!, Object.freeze({ remember: true })))
    t.strictSame(setCookies(await app.inject({ method: 'POST', url: '/in' })), ['_remember', 'session'])
  }
  t.equal(JSON.stringify(options), before)
})
