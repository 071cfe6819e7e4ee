import cookiePlugin from '@fastify/cookie'
import type { FastifyCookieOptions } from '@fastify/cookie'
import Fastify from 'fastify'
import type { FastifyServerOptions, LightMyRequestResponse, LoginUser } from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import fastifyLogin, { jwtSession } from '../../src/index.js'
import type { CookieAttributes, FastifyLoginOptions, JwtSessionOptions } from '../../src/index.js'
import { build, buildSession } from '../support/app.js'
import { Browser, onePage, setCookies } from '../support/browser.js'
import { DAY, START } from '../support/clock.js'
import { captureLog } from '../support/log.js'
import { site } from '../support/site.js'
import { SECRET } from '../support/tokens.js'
import { people } from '../support/users.js'

const HTTPS = { 'x-forwarded-proto': 'https' }

/** The header lines, without the values of the cookies. */
function lines (response: LightMyRequestResponse): string[] {
  return [response.headers['set-cookie'] ?? []].flat()
    .map((line) => line.replace(/=[^;]*/, '=…').replace(/Expires=[^;]*/, 'Expires=…')).sort()
}

async function start (
  cookie: CookieAttributes | undefined, server: FastifyServerOptions = {}, options: Partial<JwtSessionOptions> = {}
) {
  const log = captureLog()
  const { visit } = onePage(await buildSession({ ...options, ...cookie === undefined ? {} : { cookie } }, {
    logger: log.logger, ...server
  }))
  return {
    log,
    set: async (headers = {}) => lines(await visit((session) => session.set('at', Math.random()), headers)),
    clear: async (headers = {}) => lines(await visit((session) => session.delete(), headers)),
    visit
  }
}

function production (t: Test): void {
  const before = process.env.NODE_ENV
  process.env.NODE_ENV = 'production'
  t.teardown(() => {
    if (before === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = before
  })
}

t.test('by default the cookie is for the whole site, no scripts, Lax, and as secure as the connection', async (t) => {
  const { set, log } = await start(undefined, { trustProxy: true })
  t.same(await set(), ['session=…; Path=/; HttpOnly; SameSite=Lax'])
  t.same(await set(HTTPS), ['session=…; Path=/; HttpOnly; Secure; SameSite=Lax'])
  t.same(log.entries('warn'), [])
})

t.test('in production the cookie is Secure', async (t) => {
  production(t)
  const { set, log } = await start(undefined, { trustProxy: true })
  t.same(await set(HTTPS), ['session=…; Path=/; HttpOnly; Secure; SameSite=Lax'])
  t.same(log.entries('warn'), [])
  t.same(await set(), ['session=…; Path=/; HttpOnly; Secure; SameSite=Lax'], 'over plain http too')
  t.equal(log.entries('warn').length, 1)

  const relaxed = await start({ secure: 'auto' })
  t.same(await relaxed.set(), ['session=…; Path=/; HttpOnly; SameSite=Lax'], 'unless told otherwise')
})

t.test('a Secure cookie over plain http is sent, with one warning that names the cause', async (t) => {
  const { set, clear, log } = await start({ secure: true }, {}, { cookieName: 'sid' })
  t.same(await set(HTTPS), ['sid=…; Path=/; HttpOnly; Secure; SameSite=Lax'])
  await set()
  await clear()
  t.match(log.entries('warn'), [{ cookie: 'sid', msg: /Secure cookie goes out over plain http.*trustProxy/ }])
  t.equal(log.entries('warn').length, 1)
})

t.test('a forwarded protocol counts where the proxy is trusted', async (t) => {
  for (const [trustProxy, secure] of [
    [true, true], ['127.0.0.1', true], [false, false], ['10.0.0.1', false]
  ] as const) {
    const { set } = await start({ secure: 'auto' }, { trustProxy })
    t.equal((await set(HTTPS))[0]!.includes('Secure'), secure, String(trustProxy))
  }
  const { set, log } = await start({ secure: true }, { trustProxy: true })
  await set(HTTPS)
  t.same(log.entries('warn'), [])
})

const table: [CookieAttributes, string][] = [
  [{ domain: 'shop.example' }, 'session=…; Domain=shop.example; Path=/; HttpOnly; SameSite=Lax'],
  [{ path: '/shop' }, 'session=…; Path=/shop; HttpOnly; SameSite=Lax'],
  [{ httpOnly: false }, 'session=…; Path=/; SameSite=Lax'],
  [{ sameSite: 'strict' }, 'session=…; Path=/; HttpOnly; SameSite=Strict'],
  [{ sameSite: 'none', secure: true }, 'session=…; Path=/; HttpOnly; Secure; SameSite=None'],
  [{ secure: false }, 'session=…; Path=/; HttpOnly; SameSite=Lax'],
  [{ partitioned: true, secure: true }, 'session=…; Path=/; HttpOnly; Secure; Partitioned; SameSite=Lax'],
  [{ priority: 'high' }, 'session=…; Path=/; HttpOnly; Priority=High; SameSite=Lax'],
  [
    { path: undefined, httpOnly: undefined, sameSite: undefined, secure: undefined },
    'session=…; Path=/; HttpOnly; SameSite=Lax'
  ]
]
for (const [cookie, line] of table) {
  t.test(`a cookie with ${JSON.stringify(cookie)} is set and cleared with the same attributes`, async (t) => {
    const { set, clear } = await start(cookie)
    t.same(await set(), [line])
    const inOrder = (line: string) => line.split('; ').sort()
    t.same((await clear()).map(inOrder), [inOrder(`${line}; Max-Age=0; Expires=…`)])
  })
}

t.test('a cookie with a prefixed name goes out', async (t) => {
  const { set } = await start({ secure: true }, {}, { cookieName: '__Host-sid' })
  t.same(await set(HTTPS), ['__Host-sid=…; Path=/; HttpOnly; Secure; SameSite=Lax'])
})

t.test('parseOptions of @fastify/cookie do not leak into our cookies', async (t) => {
  const parseOptions = {
    signed: true,
    domain: 'elsewhere.example',
    path: '/elsewhere',
    secure: true,
    httpOnly: false,
    sameSite: 'none',
    maxAge: 77,
    expires: new Date(0),
    partitioned: true,
    priority: 'low',
    encode: String,
    decode: String
  } as const
  const { byId, userLoader } = people()
  const app = Fastify()
  await app.register(cookiePlugin, { secret: 'the secret of the cookie plugin', parseOptions })
  await app.register(fastifyLogin, { secret: SECRET, userLoader, clock: () => START })
  app.post('/login', async (_request, reply) => reply.loginUser(byId.get('ann')!, { remember: 1 }))
  app.post('/logout', async (_request, reply) => {
    await reply.logoutUser()
    return 'bye'
  })
  app.get('/who', async (request) => await request.getCurrentUser())
  const browser = new Browser(app)

  t.same(lines(await browser.post('/login')), [
    '_remember=…; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax',
    'session=…; Path=/; HttpOnly; SameSite=Lax'
  ])
  t.match((await browser.get('/who')).json(), { id: 'ann' })
  t.same(lines(await browser.post('/logout')), [
    '_remember=…; Max-Age=0; Path=/; Expires=…; HttpOnly; SameSite=Lax',
    'session=…; Max-Age=0; Path=/; Expires=…; HttpOnly; SameSite=Lax'
  ])
})

t.test('both cookies have the attributes of cookie, each changed by its own', async (t) => {
  const options: FastifyLoginOptions = {
    cookie: { domain: 'shop.example', sameSite: 'strict', priority: 'low' },
    session: { cookie: { sameSite: 'lax', path: '/shop' } },
    remember: { cookieName: 'stay', cookie: { httpOnly: false, priority: undefined }, days: 2 }
  }
  const { byId, userLoader } = people()
  const app = await build({ ...options, userLoader, clock: () => START })
  app.post('/login', async (_request, reply) => reply.loginUser(byId.get('ann')!, { remember: true }))
  t.same(lines(await app.inject({ method: 'POST', url: '/login' })), [
    'session=…; Domain=shop.example; Path=/shop; HttpOnly; Priority=Low; SameSite=Lax',
    'stay=…; Max-Age=172800; Domain=shop.example; Path=/; Priority=Low; SameSite=Strict'
  ])
})

t.test('the cookie plugin may parse in any hook, or in none', async (t) => {
  for (const hook of [
    'onRequest', 'preParsing', 'preValidation', 'preHandler', false
  ] as NonNullable<FastifyCookieOptions['hook']>[]) {
    const app = Fastify()
    await app.register(cookiePlugin, { hook })
    await app.register(jwtSession, { secret: SECRET })
    app.addHook('onRequest', async (request) => { request.session.get('early') })
    const { visit } = onePage(app)
    t.same(setCookies(await visit((session) => session.set('cart', 1))), ['session'])
    t.same((await visit((session) => session.get('cart'))).json(), 1, `hook ${hook}`)
  }
})

t.test('our cookies go out also where the cookie plugin was about to parse later', async (t) => {
  for (const hook of ['preHandler', false] as const) {
    const app = Fastify()
    await app.register(cookiePlugin, { hook })
    await app.register(fastifyLogin, { secret: SECRET, userLoader: people().userLoader })
    app.get('/guarded', { onRequest: app.login.guard() }, async () => 'guarded')
    app.get('/broken', async () => { throw new Error('no') })
    app.setErrorHandler((_error, _request, reply) => reply.setCookie('own', 'x').code(500).send('sorry'))
    app.addHook('onRequest', async (request) => { if (request.url === '/broken') request.session.set('cart', 1) })
    t.same(
      setCookies(await app.inject({ url: '/guarded', cookies: { session: 'garbage' } })),
      ['-session'],
      `hook ${hook}`
    )
    t.same(setCookies(await app.inject('/broken')), ['own', 'session'], `hook ${hook}`)
  }
})

t.test('the cookie plugin is registered where nobody has, and what it brings can be used', async (t) => {
  const app = await buildSession()
  t.ok(app.hasPlugin('@fastify/cookie'))
  app.get('/own', async (request, reply) => reply.setCookie('own', request.cookies.own ?? 'none').send('own'))
  t.match((await app.inject({ url: '/own', cookies: { own: 'mine' } })).cookies, [{ name: 'own', value: 'mine' }])
})

t.test('session.options() gives this response attributes and a lifetime, and knows nothing but those', async (t) => {
  const { visit, clear, set } = await start({ domain: 'shop.example' })
  const given = {
    maxAge: 60, path: '/once', sameSite: 'strict', userInfo: 'ann', signed: true, encode: () => 'x'
  } as object
  const response = await visit((session) => {
    session.options(given)
    session.options({ httpOnly: false, path: undefined })
    session.set('cart', 1)
  })
  t.same(lines(response), ['session=…; Max-Age=60; Domain=shop.example; Path=/once; SameSite=Strict'])
  t.same(
    await set(),
    ['session=…; Domain=shop.example; Path=/; HttpOnly; SameSite=Lax'],
    'the next response is as ever'
  )

  t.same(lines(await visit((session) => session.options({ maxAge: 60 }))), [], 'attributes alone are no change')
  const expires = new Date('2030-01-02T03:04:05Z')
  t.match((await visit((session) => {
    session.options({ expires })
    session.touch()
  })).headers['set-cookie'], 'Expires=Wed, 02 Jan 2030 03:04:05 GMT')
  t.same(lines(await visit((session) => {
    session.options({ path: '/once', maxAge: 60 })
    session.delete()
  })), ['session=…; Max-Age=0; Domain=shop.example; Path=/once; Expires=…; HttpOnly; SameSite=Lax'])
  t.same(await clear(), [])
})

t.test('a login over plain http with two Secure cookies gets one warning', async (t) => {
  const { logger, entries } = captureLog()
  const app = await build({ cookie: { secure: true } }, { logger })
  app.post('/login', async (_request, reply) => reply.loginUser({ id: 'ann' } as LoginUser, { remember: true }))
  await app.inject({ method: 'POST', url: '/login' })
  t.equal(entries('warn').length, 1)
})

// Flask-Login F24: cleared without Secure and SameSite, such cookies stay in the browser.
t.test('cookies with a prefix or without SameSite are cleared in the only way browsers accept', async (t) => {
  const host = { secure: true, path: '/' } as const
  const { user, visitor } = await site({
    session: { cookieName: '__Host-session', cookie: host },
    remember: { cookieName: '__Secure-remember', cookie: { secure: true, sameSite: 'none' } }
  })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: true })
  const response = await ann.signOut()
  t.strictSame(setCookies(response), ['-__Host-session', '-__Secure-remember'])
  t.match(response.cookies, [
    { name: '__Secure-remember', secure: true, sameSite: 'None', path: '/', httpOnly: true, domain: undefined },
    { name: '__Host-session', secure: true, sameSite: 'Lax', path: '/', httpOnly: true, domain: undefined }
  ])
})

// Flask-Login F25: no SameSite by default, and remembered for 365 days.
t.test('by default cookies are HttpOnly and Lax, and remember 30 days', async (t) => {
  const { app, user } = await site()
  app.post('/in', async (_request, reply) => reply.loginUser(user('ann'), { remember: true }))
  const { cookies } = await app.inject({ method: 'POST', url: '/in' })
  t.match(cookies, [{ httpOnly: true, sameSite: 'Lax', maxAge: 30 * DAY }, { httpOnly: true, sameSite: 'Lax' }])
})

// microdot M5: without Path the cookie is one of the login page's folder.
t.test('cookies set below /auth reach the whole site, and are cleared from anywhere', async (t) => {
  const { app, user } = await site()
  app.post('/auth/deep/login', async (_request, reply) => reply.loginUser(user('ann'), { remember: true }))
  app.post('/elsewhere', async (_request, reply) => reply.logoutUser().then(() => 'out'))
  for (const url of ['/auth/deep/login', '/elsewhere']) {
    const { cookies } = await app.inject({ method: 'POST', url })
    t.strictSame(cookies.map(({ name, path }) => [name, path]), [['_remember', '/'], ['session', '/']], url)
  }
})
