import staticFiles from '@fastify/static'
import type { FastifyInstance, HTTPMethods } from 'fastify'
import t from 'tap'
import type { FastifyLoginOptions, GuardOptions } from '../../src/index.js'
import { build } from '../support/app.js'
import { Browser } from '../support/browser.js'
import { site } from '../support/site.js'

const HOOKS = ['onRequest', 'preHandler'] as const
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

interface Setting {
  options?: FastifyLoginOptions
  guardOptions?: GuardOptions
  hook?: typeof HOOKS[number]
  fresh?: boolean
}

/** An application behind one guard, and a path for whatever one may think of. */
async function guarded (
  { options = {}, guardOptions = {}, hook = 'onRequest', fresh = false }: Setting = {}
): Promise<FastifyInstance> {
  const app = await build(options)
  app.addHook(hook as 'onRequest', fresh ? app.login.guardFresh(guardOptions) : app.login.guard(guardOptions))
  app.all('/*', async (request) => `passed ${request.url}`)
  app.get('/public', { config: { login: { public: true } } }, async () => 'open')
  app.get('/members', { config: { login: { public: false, renew: false } } }, async () => 'passed')
  app.get('/private', { config: { login: {} } }, async () => 'passed')
  return app
}

async function statuses (app: FastifyInstance, urls: string[], { method = 'GET', cookies = {}, headers = {} }: {
  method?: HTTPMethods, cookies?: Record<string, string>, headers?: Record<string, string>
} = {}): Promise<Record<string, number>> {
  const entries = await Promise.all(urls.map(async (url) => [
    url, (await app.inject({ url, method: method as 'GET', cookies, headers })).statusCode
  ]))
  return Object.fromEntries(entries)
}

const all = (urls: string[], statusCode: number) => Object.fromEntries(urls.map((url) => [url, statusCode]))

t.test('a guard added to a scope guards every route in it, and no other', async (t) => {
  for (const hook of HOOKS) {
    const app = await build()
    app.get('/before', async () => 'open')
    await app.register(async (scope) => {
      scope.get('/first', async () => 'passed')
      scope.addHook(hook as 'onRequest', scope.login.guard())
      scope.post('/second', async () => 'passed')
      await scope.register(async (inner) => { inner.get('/third', async () => 'passed') })
    })
    app.get('/after', async () => 'open')
    t.strictSame(await statuses(app, ['/before', '/first', '/third', '/after']), {
      '/before': 200, '/first': 302, '/third': 302, '/after': 200
    })
    t.strictSame(await statuses(app, ['/second'], { method: 'POST' }), { '/second': 302 })
    const cookies = await app.login.cookiesFor({ id: 'ann' })
    t.strictSame(await statuses(app, ['/first', '/third'], { cookies }), { '/first': 200, '/third': 200 })
  }
})

t.test('a route marked public is exempt from every guard; any other mark exempts nothing', async (t) => {
  for (const fresh of [false, true]) {
    const app = await guarded({ fresh })
    t.strictSame(await statuses(app, ['/public', '/members', '/private']), {
      '/public': 200, '/members': 302, '/private': 302
    })
    t.strictSame(await statuses(app, ['/public', '/public?x=1'], { method: 'HEAD' }), {
      '/public': 200, '/public?x=1': 200
    })
    t.strictSame(await statuses(app, ['/public'], { method: 'POST' }), { '/public': 302 }, 'that is another route')
  }
  const app = await build()
  const preHandler = [app.login.guard({ allow: () => false }), app.login.guardFresh(), app.login.verify]
  app.get('/', { onRequest: app.login.guard(), preHandler, config: { login: { public: true } } }, async (request) => {
    return { user: await request.getCurrentUser() }
  })
  t.match(await app.inject('/'), { statusCode: 200, body: '{"user":null}' })
  const cookies = await app.login.cookiesFor({ id: 'ann' }, { fresh: false })
  t.match(
    await app.inject({ url: '/', cookies }),
    { statusCode: 200, body: '{"user":{"id":"ann","name":"Ann"}}' },
    'and still knows who is there'
  )
})

t.test('the login page is exempt on its own, for what a login page answers and exactly there', async (t) => {
  for (const hook of HOOKS) {
    const app = await guarded({ options: { loginUrl: '/sign-in#form', refreshUrl: '/confirm' }, hook })
    for (const method of METHODS) {
      const exempt = ['/sign-in', '/sign-in?next=%2Fx', '/sign-in?']
      const form = method === 'GET' || method === 'HEAD' || method === 'POST'
      t.strictSame(await statuses(app, exempt, { method }), all(exempt, form ? 200 : 303), method)
      const not = [
        '/sign-in/', '/sign-in/x', '/sign-inx', '/Sign-In', '/%73ign-in', '/x/../sign-in', '/sign-in;x', '/sign-in%3F',
        '/sign-in#x', '/x?/sign-in',
        '/login', '/confirm', '/'
      ]
      const expected = all(not, form ? 302 : 303)
      // A client resolves dot segments and drops fragments before it asks.
      const resolved = form ? { '/x/../sign-in': 200, '/sign-in#x': 200 } : {}
      t.strictSame(await statuses(app, not, { method }), { ...expected, ...resolved }, method)
    }
  }
})

t.test('a login page with a query in its URL is exempt with that query only; its form posts to the path', async (t) => {
  const app = await guarded({ options: { loginUrl: '/members?tab=login' } })
  const pages = [
    '/members?tab=login', '/members?tab=login&next=%2Fx', '/members', '/members?tab=orders', '/members?tab=login2',
    '/members?x&tab=login'
  ]
  t.strictSame(Object.values(await statuses(app, pages)), [200, 200, 302, 302, 302, 302])
  t.strictSame(Object.values(await statuses(app, pages, { method: 'HEAD' })), [200, 200, 302, 302, 302, 302])
  t.strictSame(await statuses(app, ['/members'], { method: 'DELETE' }), { '/members': 303 })
  app.login.on('unauthorized', () => t.fail('posting the form needs no login'))
  await statuses(app, ['/members'], { method: 'POST' })
})

t.test('nothing but its path makes a page the login page', async (t) => {
  const app = await guarded({ options: { loginUrl: '/' } })
  t.strictSame(await statuses(app, ['/', '/?x=1', '/members', '//']), {
    '/': 200, '/?x=1': 200, '/members': 302, '//': 302
  })
  for (const loginUrl of [null, 'https://accounts.example/login']) {
    const without = await guarded({ options: { loginUrl } })
    for (const host of ['localhost', 'accounts.example', 'accounts.example:443', 'https://accounts.example']) {
      const found = await without.inject({ url: '/login', headers: { host, 'x-forwarded-host': 'accounts.example' } })
      t.match(found, { statusCode: loginUrl === null ? 401 : 302 }, `${loginUrl} with Host: ${host}`)
    }
  }
})

t.test('an absolute login page is exempt where publicOrigin, not the Host header, says that it is here', async (t) => {
  const app = await guarded({ options: { loginUrl: 'https://own.example/login', publicOrigin: 'https://own.example' } })
  for (const host of ['own.example', 'evil.example']) {
    t.strictSame(await statuses(app, ['/login', '/other'], { headers: { host } }), { '/login': 200, '/other': 302 })
  }
  const elsewhere = await guarded({
    options: { loginUrl: 'https://accounts.example/login', publicOrigin: 'https://own.example' }
  })
  t.strictSame(await statuses(elsewhere, ['/login'], { headers: { host: 'accounts.example' } }), { '/login': 302 })
})

t.test('the login page of a guard is that guard\'s, and not another one\'s', async (t) => {
  const app = await guarded({ guardOptions: { loginUrl: '/staff/login' } })
  t.strictSame(await statuses(app, ['/staff/login', '/login']), { '/staff/login': 200, '/login': 302 })
  const none = await guarded({ guardOptions: { loginUrl: null } })
  t.strictSame(await statuses(none, ['/login']), { '/login': 401 })
})

t.test('OPTIONS is exempt from guards: a browser asks so before it may send cookies', async (t) => {
  const app = await guarded({ fresh: true })
  app.options('/members', async () => 'go on')
  t.strictSame(await statuses(app, ['/members'], { method: 'OPTIONS' }), { '/members': 200 })
  const cookies = await app.login.cookiesFor({ id: 'ann' })
  t.strictSame(
    await statuses(app, ['/other'], { method: 'OPTIONS' }),
    { '/other': 303 },
    'the handler of app.all() is not for strangers'
  )
  t.strictSame(await statuses(app, ['/other'], { method: 'OPTIONS', cookies }), { '/other': 200 })
  const bare = await build()
  bare.addHook('onRequest', bare.login.guard())
  bare.get('/members', async () => 'passed')
  t.strictSame(
    await statuses(bare, ['/members'], { method: 'OPTIONS' }),
    { '/members': 404 },
    'no route answers, and no guard either'
  )
})

t.test('a guarded route guards HEAD as it guards GET', async (t) => {
  const app = await build()
  app.get('/', { preHandler: app.login.guard() }, async () => 'passed')
  t.match(await app.inject({ method: 'HEAD', url: '/' }), { statusCode: 302, headers: { location: '/login?next=%2F' } })
  const cookies = await app.login.cookiesFor({ id: 'ann' })
  t.match(await app.inject({ method: 'HEAD', url: '/', cookies }), {
    statusCode: 200, headers: { 'content-length': '6' }
  })
})

t.test('under a guard for the whole application, strangers do not learn what is missing', async (t) => {
  for (const hook of HOOKS) {
    for (const ownNotFound of [false, true]) {
      const app = await build()
      if (ownNotFound) {
        app.setNotFoundHandler(
          async (request, reply) => reply.code(404).send(
            `nothing for ${request.currentUser === null ? 'strangers' : 'members'}`
          )
        )
      }
      app.addHook(hook as 'onRequest', app.login.guard())
      app.get('/members', async () => 'passed')
      t.strictSame(await statuses(app, ['/missing', '/members']), { '/missing': 302, '/members': 302 })
      t.strictSame(await statuses(app, ['/missing'], { headers: { accept: 'application/json' } }), { '/missing': 401 })
      t.strictSame(await statuses(app, ['/%zz', '/%']), { '/%zz': 400, '/%': 400 }, 'what is no URL goes nowhere')
      const found = await app.inject({ url: '/missing', cookies: await app.login.cookiesFor({ id: 'ann' }) })
      t.match(found, { statusCode: 404, body: ownNotFound ? 'nothing for members' : /Not Found/ })
    }
  }
})

t.test('a guard in a scope with a prefix guards its 404s only where the scope has a handler for them', async (t) => {
  const app = await build()
  for (const prefix of ['/with', '/without']) {
    await app.register(async (scope) => {
      scope.addHook('onRequest', scope.login.guard())
      if (prefix === '/with') scope.setNotFoundHandler(async (_request, reply) => reply.code(404).send('nothing'))
    }, { prefix })
  }
  t.strictSame(await statuses(app, ['/with/x', '/without/x', '/x']), { '/with/x': 302, '/without/x': 404, '/x': 404 })
})

t.test('static files are guarded as routes are', async (t) => {
  const app = await build()
  await app.register(async (scope) => {
    scope.addHook('onRequest', scope.login.guard())
    await scope.register(staticFiles, { root: new URL('../support', import.meta.url).pathname })
  }, { prefix: '/files' })
  const url = '/files/browser.ts'
  t.strictSame(await statuses(app, [url, '/files/missing.ts']), { [url]: 302, '/files/missing.ts': 302 })
  t.match(
    await app.inject({ url, headers: { accept: 'text/html', 'sec-fetch-dest': 'script' } }),
    { statusCode: 401 },
    'no script becomes a login form'
  )
  const cookies = await app.login.cookiesFor({ id: 'ann' })
  const file = await app.inject({ url, cookies })
  t.match(file, { statusCode: 200, body: /class Browser/ })
  t.strictSame(await statuses(app, ['/files/missing.ts'], { cookies }), { '/files/missing.ts': 404 })
  t.match(
    await app.inject({ url, headers: { 'if-none-match': String(file.headers.etag) } }),
    { statusCode: 302 },
    'a stranger learns nothing of its version'
  )
})

t.test('under a fresh guard for everything, people not fresh reach the page that confirms their login', async (t) => {
  for (const hook of HOOKS) {
    const app = await build({ loginUrl: '/login', refreshUrl: '/confirm?why' })
    app.addHook(hook as 'onRequest', app.login.guardFresh())
    app.get('/settings', async () => 'settings')
    app.get('/login', async () => 'form')
    app.get('/confirm', async (request) => request.requireUser())
    app.post('/confirm', async (_request, reply) => {
      await reply.confirmLogin()
      return reply.redirect('/settings')
    })
    const browser = new Browser(app)
    t.match(await browser.get('/confirm'), { statusCode: 302, headers: { location: '/login' } }, 'not for strangers')
    t.match(await browser.get('/login'), { statusCode: 200 })
    browser.keep(await app.login.cookiesFor({ id: 'ann' }, { fresh: false }))
    t.match(await browser.get('/settings'), { statusCode: 302, headers: { location: '/confirm?why&next=%2Fsettings' } })
    t.match(await browser.get('/confirm?why&next=%2Fsettings'), { statusCode: 200, body: '{"id":"ann","name":"Ann"}' })
    const others = ['/confirm/', '/confirmed', '/Confirm']
    t.strictSame(await statuses(app, others, { cookies: { session: browser.cookie('session')! } }), all(others, 302))
    t.match(await browser.post('/confirm'), { statusCode: 302, headers: { location: '/settings' } })
    t.match(await browser.get('/settings'), { statusCode: 200 })
  }
})

t.test('the refresh page stays closed to those whom allow refuses', async (t) => {
  const app = await build({ refreshUrl: '/confirm' })
  app.addHook('onRequest', app.login.guardFresh({ allow: () => false }))
  app.get('/confirm', async () => 'form')
  t.match(
    await app.inject({ url: '/confirm', cookies: await app.login.cookiesFor({ id: 'ann' }, { fresh: false }) }),
    { statusCode: 403 }
  )
})

t.test('the URL that the visitor sent says where the login page is, before rewriteUrl', async (t) => {
  const app = await build({ loginUrl: '/app/login' }, { rewriteUrl: (request) => request.url!.replace(/^\/app/, '') })
  app.addHook('onRequest', app.login.guard())
  app.all('/*', async (request) => request.url)
  t.strictSame(await statuses(app, ['/app/login', '/login', '/app/x']), {
    '/app/login': 200, '/login': 302, '/app/x': 302
  })
})

// Flask-Login F27: a login page of its own only for a group none of whose routes is declared yet.
t.test('a group of routes can have its own login page, also after other routes were declared', async (t) => {
  const { app } = await site({ loginUrl: '/login' })
  app.register(async (blog) => {
    blog.get('/early', async () => 'early')
    blog.addHook('preHandler', app.login.guard({ loginUrl: '/blog/login' }))
    blog.get('/login', async () => 'form')
    blog.get('/late', async () => 'late')
    blog.get('/open', { config: { login: { public: true } } }, async () => 'open')
    blog.options('/late', async () => 'options')
  }, { prefix: '/blog' })
  const browser = new Browser(app)
  for (const page of ['early', 'late']) {
    t.match(await browser.get(`/blog/${page}`), {
      statusCode: 302, headers: { location: `/blog/login?next=%2Fblog%2F${page}` }
    })
  }
  for (const [method, page, body] of [
    ['GET', 'login', 'form'], ['GET', 'open', 'open'], ['OPTIONS', 'late', 'options']
  ] as const) {
    t.equal((await browser.send({ method, url: `/blog/${page}` })).body, body, 'exempt')
  }
  t.match(await browser.get('/members'), { headers: { location: '/login?next=%2Fmembers' } })
})
