import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import fastifyLogin, { guard, guardAnonymous, guardFresh, jwtSession } from '../../src/index.js'
import type { FastifyLoginOptions } from '../../src/index.js'
import { Browser, setCookies } from '../support/browser.js'
import { START } from '../support/clock.js'
import { listen } from '../support/events.js'
import { furnish } from '../support/site.js'
import { claimsOf, OTHER_SECRET, SECRET } from '../support/tokens.js'
import { people } from '../support/users.js'

type Arrangement = 'beside each other' | 'one within the other'
const ARRANGEMENTS: Arrangement[] = ['beside each other', 'one within the other']

/** Two areas with one secret and users with the same ids: shop customers and, below /admin, the staff. */
async function shopAndAdmin (arrangement: Arrangement, options: FastifyLoginOptions = {}) {
  const customers = people({ id: 1, name: 'Carla the customer' }, { id: 2, name: 'Carl the customer' })
  const staff = people({ id: 1, name: 'Ada the admin' })
  const areas: Record<string, FastifyInstance> = {}
  const app = Fastify()
  const shop = async (scope: FastifyInstance) => {
    await scope.register(fastifyLogin, {
      secret: SECRET, userLoader: customers.userLoader, clock: () => START, ...options
    })
    areas.shop = scope
  }
  const open = async (scope: FastifyInstance) => {
    furnish(scope)
    scope.get('/mine', { preHandler: guard() }, async (request) => request.requireUser<{ name: string }>().name)
    scope.get(
      '/mine/fresh',
      { onRequest: guardFresh() },
      async (request) => request.requireUser<{ name: string }>().name
    )
    scope.get('/mine/login', { preHandler: guardAnonymous({ redirectUrl: '/inside' }) }, async () => 'form')
  }
  const admin = async (scope: FastifyInstance) => {
    await scope.register(fastifyLogin, {
      secret: SECRET,
      userLoader: staff.userLoader,
      loginUrl: '/admin/login',
      session: { cookieName: 'admin' },
      remember: { cookieName: '_admin' },
      clock: () => START
    })
    areas.admin = scope
    await open(scope)
    if (arrangement === 'one within the other') {
      scope.get(
        '/shop',
        { preHandler: [app.login.guard(), guard()] },
        async (request) => request.requireUser<{ name: string }>().name
      )
    }
  }
  if (arrangement === 'one within the other') {
    await shop(app)
    await open(app)
  } else {
    await app.register(async (scope) => {
      await shop(scope)
      await open(scope)
    })
  }
  await app.register(admin, { prefix: '/admin' })
  await app.ready()
  const browser = () => {
    const inShop = new Browser(app)
    return { inShop, inAdmin: inShop.below('/admin'), jar: inShop.jar }
  }
  const [carla, carl, ada] = [customers.byId.get(1)!, customers.byId.get(2)!, staff.byId.get(1)!]
  return { shop: areas.shop!, admin: areas.admin!, carla, carl, ada, browser }
}

function inEach (name: string, test: (t: Test, arrangement: Arrangement) => Promise<void>): void {
  for (const arrangement of ARRANGEMENTS) t.test(`${name} (areas ${arrangement})`, (t) => test(t, arrangement))
}

inEach('each area has its own cookies, loader and pages', async (t, arrangement) => {
  const { carla, ada, browser } = await shopAndAdmin(arrangement)
  const { inShop, inAdmin } = browser()
  t.match(await inShop.get('/members'), { headers: { location: '/login?next=%2Fmembers' } })
  t.match(await inAdmin.get('/admin/members'), { headers: { location: '/admin/login?next=%2Fadmin%2Fmembers' } })
  t.strictSame(setCookies(await inShop.signIn(carla, { remember: true })), ['_remember', 'session'])
  t.match(await inAdmin.get('/admin/members'), { statusCode: 302 }, 'a customer is no admin')
  t.strictSame(setCookies(await inAdmin.signIn(ada, { remember: true })), ['_admin', 'admin'])
  t.equal((await inShop.get('/members')).body, 'Carla the customer')
  t.equal((await inAdmin.get('/admin/members')).body, 'Ada the admin')
})

inEach('what one area keeps in the session, the other does not see', async (t, arrangement) => {
  const { browser } = await shopAndAdmin(arrangement)
  const { inShop, inAdmin } = browser()
  await inShop.can((request) => { Object.assign(request.session, { cart: ['pear'] }) })
  await inAdmin.can((request) => t.strictSame(request.session.data(), {}))
  await inAdmin.can((request) => { Object.assign(request.session, { cart: ['axe'] }) })
  await inShop.can((request) => t.strictSame(request.session.data(), { cart: ['pear'] }))
})

inEach('leaving one area leaves the other alone', async (t, arrangement) => {
  const { carla, ada, browser } = await shopAndAdmin(arrangement)
  for (const how of ['logout', 'delete'] as const) {
    for (const left of ['shop', 'admin'] as const) {
      const { inShop, inAdmin } = browser()
      await inShop.signIn(carla, { remember: true })
      await inAdmin.signIn(ada, { remember: true })
      const [leaving, staying, id] = left === 'shop'
        ? [inShop, inAdmin, 'Ada the admin']
        : [inAdmin, inShop, 'Carla the customer']
      const response = how === 'logout'
        ? await leaving.signOut()
        : await leaving.does((request) => request.session.delete())
      t.strictSame(
        setCookies(response),
        left === 'shop' ? ['-_remember', '-session'] : ['-_admin', '-admin'],
        `${how} ${left}`
      )
      t.match(await leaving.who(), { user: null, kind: 'anonymous' })
      t.equal((await staying.get(left === 'shop' ? '/admin/members' : '/members')).body, id, `${how} ${left}`)
      staying.close()
      t.match(await staying.who(), { user: 1, kind: 'stale', remembered: true }, `${how} ${left}`)
    }
  }
})

inEach('signing in to one area changes nothing in the other', async (t, arrangement) => {
  const { carla, carl, ada, browser } = await shopAndAdmin(arrangement)
  const { inShop, inAdmin } = browser()
  await inShop.signIn(carla, { remember: true })
  const before = await inShop.who()
  t.strictSame(setCookies(await inAdmin.signIn(ada)), ['admin'])
  t.strictSame(await inShop.who(), before)
  await inShop.signIn(carl)
  t.match(await inAdmin.who(), { user: 1, kind: 'fresh', remembered: false })
})

inEach('a token counts in its own cookie only, whoever renames the cookies by hand', async (t, arrangement) => {
  const { carla, ada, browser } = await shopAndAdmin(arrangement)
  const { inShop, inAdmin, jar } = browser()
  await inShop.signIn(carla, { remember: true })
  await inAdmin.signIn(ada, { remember: true })
  const values = new Map([...jar].map(([name, { value }]) => [name, value]))
  for (const target of values.keys()) {
    for (const source of values.keys()) {
      const swapped = browser()
      swapped.inShop.keep({ [target]: values.get(source)! })
      const admin = target === 'admin' || target === '_admin'
      const response = await (admin ? swapped.inAdmin.get('/admin/members') : swapped.inShop.get('/members'))
      t.equal(response.statusCode, source === target ? 200 : 302, `${source} as ${target}`)
      if (source !== target) t.strictSame(setCookies(response), [`-${target}`], `${source} as ${target}`)
    }
  }
})

inEach('events are told in their own area', async (t, arrangement) => {
  const { shop, admin, ada, browser } = await shopAndAdmin(arrangement)
  const [inShop, inAdmin] = [listen(shop.login), listen(admin.login)]
  const visit = browser()
  await visit.inAdmin.signIn(ada)
  await visit.inAdmin.signOut()
  await visit.inShop.get('/members')
  t.strictSame([inShop, inAdmin].map((heard) => heard.map(({ event }) => event)), [
    ['unauthorized'], ['login', 'logout']
  ])
  t.equal(inAdmin[0]!.payload.user, ada)
})

inEach('the plain guards ask the area of their route', async (t, arrangement) => {
  const { carla, ada, browser } = await shopAndAdmin(arrangement)
  const { inShop, inAdmin } = browser()
  await inShop.signIn(carla)
  t.equal((await inShop.get('/mine')).body, 'Carla the customer')
  t.equal((await inShop.get('/mine/fresh')).body, 'Carla the customer')
  t.match(await inShop.get('/mine/login'), { statusCode: 302, headers: { location: '/inside' } })
  t.match(await inAdmin.get('/admin/mine'), {
    statusCode: 302, headers: { location: '/admin/login?next=%2Fadmin%2Fmine' }
  })
  t.match(await inAdmin.get('/admin/mine/fresh'), { statusCode: 302 })
  t.equal((await inAdmin.get('/admin/mine/login')).body, 'form')
  await inAdmin.signIn(ada)
  t.equal((await inAdmin.get('/admin/mine')).body, 'Ada the admin')
  t.equal((await inAdmin.get('/admin/mine/fresh')).body, 'Ada the admin')
})

inEach('cookies minted for one area are those of this area', async (t, arrangement) => {
  const { shop, admin, carla, ada, browser } = await shopAndAdmin(arrangement)
  for (const [area, user, names] of [
    [shop, carla, ['session', '_remember']], [admin, ada, ['admin', '_admin']]
  ] as const) {
    const cookies = await area.login.cookiesFor(user, { remember: true })
    t.strictSame(Object.keys(cookies), names)
    const { inShop, inAdmin } = browser()
    inShop.keep(cookies)
    t.match(
      [await inShop.who(), await inAdmin.who()],
      area === shop ? [{ user: 1 }, { user: null }] : [{ user: null }, { user: 1 }]
    )
  }
})

t.test('on a route of an inner area app.login.guard() asks the outer login, request members the inner', async (t) => {
  const customers = people({ id: 1, name: 'Carla the customer' })
  const staff = people({ id: 1, name: 'Ada the admin' })
  const app = Fastify()
  await app.register(fastifyLogin, { secret: SECRET, userLoader: customers.userLoader, loginUrl: '/shop/login' })
  furnish(app)
  await app.register(async (admin) => {
    await admin.register(fastifyLogin, {
      secret: SECRET,
      userLoader: staff.userLoader,
      loginUrl: '/admin/login',
      session: { cookieName: 'admin' },
      remember: { cookieName: '_admin' }
    })
    admin.addHook('preHandler', app.login.guard())
    admin.get('/login', { config: { login: { public: true } } }, async () => 'form')
    furnish(admin)
  }, { prefix: '/admin' })
  const browser = new Browser(app)
  t.match(await browser.get('/admin/who'), {
    statusCode: 302, headers: { location: '/shop/login?next=%2Fadmin%2Fwho' }
  })
  t.equal((await browser.get('/admin/login')).body, 'form')
  await browser.signIn(customers.byId.get(1)!)
  t.match((await browser.get('/admin/who')).json(), { user: null, kind: 'anonymous' })
  t.match(await browser.get('/admin/members'), {
    statusCode: 302, headers: { location: '/admin/login?next=%2Fadmin%2Fmembers' }
  })
})

t.test('two logins on one request each load their own user and write their own cookies, each once', async (t) => {
  const { shop, admin, carla, ada, browser } = await shopAndAdmin('one within the other')
  const { inAdmin, jar } = browser()
  for (const cookies of [
    await shop.login.cookiesFor(carla, { remember: 3 }), await admin.login.cookiesFor(ada, { remember: 4 })
  ]) {
    for (const [name, value] of Object.entries(cookies)) if (name.startsWith('_')) jar.set(name, { name, value })
  }
  t.match(await inAdmin.get('/admin/shop'), { statusCode: 200, body: 'Ada the admin' })
  t.strictSame([...jar.keys()].sort(), ['_admin', '_remember', 'admin', 'session'])
  t.strictSame(['_admin', '_remember', 'admin', 'session'].map((name) => {
    const { ck, uid, days } = claimsOf(jar.get(name)!.value)
    return [ck, uid, days]
  }), [['_admin', 1, 4], ['_remember', 1, 3], ['admin', 1, undefined], ['session', 1, undefined]])
  jar.delete('session')
  jar.delete('_remember')
  t.match(await inAdmin.get('/admin/shop'), { statusCode: 302, headers: { location: '/login?next=%2Fadmin%2Fshop' } })
})

/** Starts an application; how it went. */
async function starts (register: (app: FastifyInstance) => Promise<unknown>): Promise<string | undefined> {
  const app = Fastify()
  try {
    await register(app)
    await app.ready()
  } catch (error) {
    return (error as { code: string }).code
  }
}

const options = (secret: string, session?: string, remember?: string): FastifyLoginOptions => ({
  secret,
  userLoader: () => null,
  ...session === undefined ? {} : { session: { cookieName: session } },
  ...remember === undefined ? {} : { remember: { cookieName: remember } }
})
const scoped = (app: FastifyInstance, given: FastifyLoginOptions) =>
  app.register(async (scope) => { await scope.register(fastifyLogin, given) })

t.test('areas whose cookies or registrations would get in each other\'s way do not start', async (t) => {
  const INVALID = 'FST_LOGIN_INVALID_OPTIONS'
  const within = (outer: FastifyLoginOptions, inner: FastifyLoginOptions) => async (app: FastifyInstance) => {
    await app.register(fastifyLogin, outer)
    await scoped(app, inner)
  }
  const beside = (one: FastifyLoginOptions, other: FastifyLoginOptions) => async (app: FastifyInstance) => {
    await scoped(app, one)
    await scoped(app, other)
  }
  const cases: Record<string, [(app: FastifyInstance) => Promise<unknown>, string | undefined]> = {
    'twice in one scope': [async (app) => {
      await app.register(fastifyLogin, options(SECRET))
      await app.register(fastifyLogin, options(SECRET, 'b', '_b'))
    }, INVALID],
    'within, same names': [within(options(SECRET), options(SECRET)), INVALID],
    'within, same names, another secret': [within(options(SECRET), options(OTHER_SECRET)), INVALID],
    'within, same session name': [within(options(SECRET), options(SECRET, 'session', '_b')), INVALID],
    'within, same remember name': [within(options(SECRET), options(SECRET, 'b')), INVALID],
    'within, names crossed over': [within(options(SECRET, 'a', 'b'), options(SECRET, 'b', 'a')), INVALID],
    'within, own names': [within(options(SECRET), options(SECRET, 'b', '_b')), undefined],
    'two levels below, same names': [async (app) => {
      await app.register(fastifyLogin, options(SECRET))
      await app.register(async (middle) => { await scoped(middle, options(OTHER_SECRET)) })
    }, INVALID],
    'beside, same names and secret': [beside(options(SECRET), options(SECRET)), INVALID],
    'beside, one name and a rotated secret in common': [
      beside(options(SECRET, 'a'), { ...options(SECRET, 'b'), secret: [OTHER_SECRET, SECRET] }), INVALID
    ],
    'beside, same names, other secrets': [beside(options(SECRET), options(OTHER_SECRET)), undefined],
    'beside, own names': [beside(options(SECRET), options(SECRET, 'b', '_b')), undefined],
    'two logins on one jwtSession': [async (app) => {
      await app.register(jwtSession, { secret: SECRET })
      const riding = (remember: string): FastifyLoginOptions => ({
        userLoader: () => null, remember: { cookieName: remember }
      })
      await scoped(app, riding('_a'))
      await scoped(app, riding('_b'))
    }, INVALID],
    'one on a jwtSession, one on its own': [async (app) => {
      await app.register(jwtSession, { secret: SECRET })
      await scoped(app, { userLoader: () => null })
      await scoped(app, options(SECRET, 'b', '_b'))
    }, undefined],
    'within a jwtSession, own secret and the session\'s cookie name': [async (app) => {
      await app.register(jwtSession, { secret: SECRET })
      await scoped(app, options(OTHER_SECRET))
    }, INVALID]
  }
  for (const [name, [register, expected]] of Object.entries(cases)) t.equal(await starts(register), expected, name)
})

t.test('of areas with the same cookie names and other secrets, a cookie of one is nobody in the other', async (t) => {
  const app = Fastify()
  for (const [prefix, secret] of [['/a', SECRET], ['/b', OTHER_SECRET]] as const) {
    await app.register(async (scope) => {
      await scope.register(fastifyLogin, { secret, userLoader: people({ id: 1, name: prefix }).userLoader })
      furnish(scope)
    }, { prefix })
  }
  const [a, b] = ['/a', '/b'].map((prefix) => new Browser(app, prefix))
  await a!.signIn({ id: 1, name: '/a' }, { remember: true })
  for (const [name, cookie] of a!.jar) b!.jar.set(name, cookie)
  t.match(await b!.who(), { user: null })
  t.match(await a!.who(), { user: 1 })
})
