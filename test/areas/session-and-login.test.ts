import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import fastifyLogin, { jwtSession } from '../../src/index.js'
import type { FastifyLoginOptions, JwtSessionOptions } from '../../src/index.js'
import { Browser, onePage, setCookies } from '../support/browser.js'
import { Clock } from '../support/clock.js'
import { site } from '../support/site.js'
import { claimsOf, OTHER_SECRET, SECRET } from '../support/tokens.js'
import { people } from '../support/users.js'

const { byId, userLoader } = people()
const ann = byId.get('ann')!

const session = (app: FastifyInstance, options: Partial<JwtSessionOptions> = {}) =>
  app.register(jwtSession, { secret: SECRET, ...options })
const login = (app: FastifyInstance, options: FastifyLoginOptions = {}) =>
  app.register(fastifyLogin, { userLoader, ...options })

/** Routes of one area: in, out, who is there, and a value of the session. */
function routes (app: FastifyInstance): void {
  app.post('/login', async (_request, reply) => reply.loginUser(ann, { remember: true }))
  app.get('/who', async (request) => await request.getCurrentUser())
  app.get('/cart', async (request) => request.session.get('cart') ?? null)
  app.post('/cart', async (request) => {
    request.session.set('cart', request.url)
    return 'ok'
  })
}

t.test('a login rides on the session registered before, and needs no secret of its own', async (t) => {
  const clock = new Clock()
  const app = Fastify()
  await session(app, {
    cookieName: 'sid', audience: 'shop', idleSeconds: 500, cookie: { sameSite: 'strict' }, clock: clock.read
  })
  await login(app, { audience: 'shop', remember: { cookieName: 'stay', days: 2 }, session: { keepOnLogin: ['cart'] } })
  routes(app)
  const browser = new Browser(app)
  await browser.post('/cart')
  t.same(setCookies(await browser.post('/login')), ['sid', 'stay'])
  t.match((await browser.get('/who')).json(), { id: 'ann' })
  t.match(claimsOf(browser.cookie('sid')), {
    aud: 'shop', uid: 'ann', iat: clock.seconds, exp: clock.seconds + 500, data: { cart: '/cart' }
  })
  t.match(claimsOf(browser.cookie('stay')), { aud: 'shop', uid: 'ann', exp: clock.seconds + 2 * 86_400 })
  t.match([browser.jar.get('sid')!.sameSite, browser.jar.get('stay')!.sameSite], ['Strict', 'Strict'])
})

t.test('a login that rides hears of bad tokens, and ends with the session', async (t) => {
  const app = Fastify()
  await session(app)
  await login(app)
  const heard: unknown[] = []
  app.login.on('invalidToken', ({ cookie, reason }) => heard.push({ cookie, reason }))
  routes(app)
  const { visit, browser } = onePage(app)
  await app.inject({ url: '/cart', cookies: { session: 'garbage' } })
  t.same(heard, [{ cookie: 'session', reason: 'malformed' }])

  await browser.post('/login')
  t.same(setCookies(await visit((session) => session.regenerate())), ['-_remember', '-session'])
  t.same((await browser.get('/who')).json(), null)
})

t.test('a login may be given the secret of its session again, in any shape; another one is refused', async (t) => {
  const table: [JwtSessionOptions['secret'], FastifyLoginOptions['secret'], boolean][] = [
    [SECRET, SECRET, true],
    [SECRET, [SECRET], true],
    [SECRET, Buffer.from(SECRET), true],
    [[SECRET, OTHER_SECRET], [SECRET, Buffer.from(OTHER_SECRET)], true],
    [SECRET, OTHER_SECRET, false],
    [SECRET, [SECRET, OTHER_SECRET], false],
    [[SECRET, OTHER_SECRET], [OTHER_SECRET, SECRET], false],
    [SECRET, 'too short', false]
  ]
  for (const [theirs, ours, accepted] of table) {
    const app = Fastify()
    await session(app, { secret: theirs })
    const attempt = Promise.resolve(login(app, { secret: ours }))
    if (accepted) await t.resolves(attempt)
    else {
      await t.rejects(attempt, {
        code: 'FST_LOGIN_INVALID_OPTIONS', message: /: secret belongs to the jwtSession registered before/
      })
    }
  }
})

t.test('what belongs to the session ridden on is refused, all of it at once', async (t) => {
  const app = Fastify()
  await session(app)
  const options = {
    session: { cookieName: 'sid', cookie: {}, idleSeconds: 5, absoluteSeconds: 5 }, verifiedCacheSize: 5
  }
  const error = await login(app, options).then(() => null, (error: Error & { code: string }) => error)
  t.equal(error?.code, 'FST_LOGIN_INVALID_OPTIONS')
  for (const name of [
    'session.cookieName', 'session.cookie', 'session.idleSeconds', 'session.absoluteSeconds', 'verifiedCacheSize'
  ]) {
    t.ok(error?.message.includes(`${name} belongs to the jwtSession registered before`), name)
  }
})

t.test('a login in a child scope without a secret rides on the session outside', async (t) => {
  const app = Fastify()
  await session(app)
  await app.register(async (child) => {
    await login(child)
    routes(child)
  })
  app.get('/outside', async (request) => request.session.get('cart'))
  app.post('/end', async (request) => {
    request.session.delete()
    return 'ended'
  })
  const browser = new Browser(app)
  await browser.post('/login')
  await browser.post('/cart')
  t.match((await browser.get('/who')).json(), { id: 'ann' })
  t.equal((await browser.get('/outside')).body, '/cart', 'one session for both scopes')
  t.same(
    setCookies(await browser.post('/end')),
    ['-_remember', '-session'],
    'its end outside is the end of the login inside'
  )
  t.equal((await browser.get('/who')).json(), null)
})

t.test('a login in a child scope with a secret has a session of its own', async (t) => {
  const app = Fastify()
  await session(app)
  await app.register(async (child) => {
    await login(child, {
      secret: OTHER_SECRET, session: { cookieName: 'admin' }, remember: { cookieName: 'admin_remember' }
    })
    routes(child)
  }, { prefix: '/admin' })
  app.get('/cart', async (request) => request.session.get('cart') ?? null)
  const browser = new Browser(app)
  t.same(setCookies(await browser.post('/admin/login')), ['admin', 'admin_remember'])
  t.same(setCookies(await browser.post('/admin/cart')), ['admin'])
  t.equal((await browser.get('/admin/cart')).body, '/admin/cart')
  t.equal((await browser.get('/cart')).json(), null)
})

t.test('sessions of nested scopes have cookies and values of their own', async (t) => {
  const app = Fastify()
  await session(app)
  const route = (scope: FastifyInstance) => {
    scope.get('/name', async (request) => request.session.get('name') ?? null)
    scope.post('/name', async (request) => {
      request.session.set('name', request.url)
      return 'ok'
    })
  }
  route(app)
  await app.register(async (child) => {
    await session(child, { cookieName: 'inner' })
    route(child)
  }, { prefix: '/inner' })
  const browser = new Browser(app)
  t.same(setCookies(await browser.post('/inner/name')), ['inner'])
  t.equal((await browser.get('/name')).json(), null)
  t.same(setCookies(await browser.post('/name')), ['session'])
  t.same([(await browser.get('/name')).body, (await browser.get('/inner/name')).body], ['/name', '/inner/name'])
})

const inChild = (app: FastifyInstance, load: (child: FastifyInstance) => PromiseLike<unknown>) =>
  app.register(async (child) => { await load(child) })
const names = (session: string, remember: string) => ({
  session: { cookieName: session }, remember: { cookieName: remember }
})

const refused: [string, RegExp, (app: FastifyInstance) => PromiseLike<unknown>][] = [
  ['jwtSession twice in one scope', /registered twice/, async (app) => {
    await session(app)
    await session(app, { cookieName: 'other' })
  }],
  ['fastifyLogin twice in one scope', /registered twice/, async (app) => {
    await login(app, { secret: SECRET })
    await login(app, { secret: SECRET, ...names('a', 'b') })
  }],
  ['jwtSession after fastifyLogin', /after fastifyLogin, which brings it along/, async (app) => {
    await login(app, { secret: SECRET })
    await session(app, { cookieName: 'other' })
  }],
  ['another audience than that of the jwtSession', /audience belongs to the jwtSession/, async (app) => {
    await session(app)
    await login(app, { audience: 'shop' })
  }],
  ['two logins on one jwtSession, one inside', /another login rides on this jwtSession/, async (app) => {
    await session(app)
    await login(app)
    await inChild(app, (child) => login(child, { remember: { cookieName: 'other' } }))
  }],
  ['two logins on one jwtSession, side by side', /another login rides on this jwtSession/, async (app) => {
    await session(app)
    await inChild(app, (child) => login(child))
    await inChild(app, (child) => login(child, { remember: { cookieName: 'other' } }))
  }],
  ['a jwtSession whose cookie an enclosing jwtSession has',
    /cookie name session is taken by an enclosing scope/, async (app) => {
      await session(app)
      await inChild(app, (child) => session(child, { secret: OTHER_SECRET }))
    }],
  ['a login whose session cookie one inside has already',
    /cookie name session is taken by an enclosing scope, or one inside/, async (app) => {
      await inChild(app, (child) => login(child, { secret: OTHER_SECRET, ...names('session', 'b') }))
      await login(app, { secret: SECRET })
    }],
  ['a login whose session cookie an enclosing login has',
    /cookie name session is taken by an enclosing scope/, async (app) => {
      await login(app, { secret: SECRET })
      await inChild(app, (child) => login(child, { secret: OTHER_SECRET, ...names('session', 'b') }))
    }],
  ['a login whose remember cookie an enclosing login has',
    /cookie name _remember is taken by an enclosing scope/, async (app) => {
      await login(app, { secret: SECRET })
      const inner = { secret: OTHER_SECRET, ...names('a', '_remember') }
      await inChild(app, (child) => inChild(child, (grandchild) => login(grandchild, inner)))
    }],
  ['a login whose remember cookie is an enclosing session cookie',
    /cookie name sid is taken by an enclosing scope/, async (app) => {
      await session(app, { cookieName: 'sid' })
      await inChild(app, (child) => login(child, { secret: OTHER_SECRET, ...names('a', 'sid') }))
    }],
  ['a login that rides whose remember cookie is the session cookie', /cookie names? .*sid|must differ/, async (app) => {
    await session(app, { cookieName: 'sid' })
    await login(app, { remember: { cookieName: 'sid' } })
  }],
  ['two areas side by side with one cookie name and one secret',
    /cookie name session is taken by another area with the same secret/, async (app) => {
      await inChild(app, (child) => login(child, { secret: SECRET }))
      await inChild(app, (child) => login(child, { secret: [OTHER_SECRET, SECRET], remember: { cookieName: 'b' } }))
    }]
]
for (const [name, message, load] of refused) {
  t.test(`does not start: ${name}`, async (t) => {
    await t.rejects(Promise.resolve(load(Fastify())), { code: 'FST_LOGIN_INVALID_OPTIONS', message })
  })
}

t.test('areas side by side with one cookie name start where their secrets differ', async (t) => {
  const app = Fastify()
  await inChild(app, (child) => login(child, { secret: SECRET }))
  await inChild(app, (child) => login(child, { secret: OTHER_SECRET }))
  await t.resolves(Promise.resolve(app.ready()))
})

t.test('does not start: request.session is taken by another plugin', async (t) => {
  for (const load of [
    (app: FastifyInstance) => session(app), (app: FastifyInstance) => login(app, { secret: SECRET })
  ]) {
    const app = Fastify()
    app.decorateRequest('session', null as never)
    await t.rejects(Promise.resolve(load(app)), {
      code: 'FST_LOGIN_INVALID_OPTIONS',
      message: /request\.session is taken by another plugin: register with session: 'external'/,
      cause: { code: 'FST_ERR_DEC_ALREADY_PRESENT' }
    })
  }
})

t.test('does not start: session \'external\' where no plugin has put a session', async (t) => {
  await t.rejects(Promise.resolve(login(Fastify(), { secret: SECRET, session: 'external' })),
    { code: 'FST_LOGIN_INVALID_OPTIONS', message: /no plugin has put a request\.session there/ })
})

t.test('applications beside each other know nothing of each other', async (t) => {
  const apps = await Promise.all([1, 2].map(async () => {
    const app = Fastify()
    await login(app, { secret: SECRET })
    return app.ready()
  }))
  t.equal(apps.length, 2)
})

// microdot M30: all applications of a host share two cookie names.
t.test('applications on one host stay apart by cookie names, or by audience with one name and secret', async (t) => {
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
    for (const [place, name] of names.entries()) {
      there.keep({ [name]: ann.cookie(place === 0 ? 'session' : '_remember')! })
    }
    t.match(await there.who(), { user: null, kind: 'anonymous' }, String(index))
    await there.signIn(users.byId.get('bob')!)
    t.match(await ann.who(), { user: 'ann' })
  }
  t.equal(claimsOf(ann.cookie('_remember')).aud, 'shop')
})
