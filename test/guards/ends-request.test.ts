import { once } from 'node:events'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import fastifyLogin, { guard, guardAnonymous, guardFresh } from '../../src/index.js'
import type { FastifyLoginOptions, GuardHook } from '../../src/index.js'
import { build } from '../support/app.js'
import { site } from '../support/site.js'
import { SECRET } from '../support/tokens.js'
import { people } from '../support/users.js'

const HOOKS = ['onRequest', 'preValidation', 'preHandler'] as const
const JSON_ONLY = { accept: 'application/json' }

type Who = 'nobody' | 'fresh' | 'stale'
interface Denial {
  name: string
  who: Who
  guard: (app: FastifyInstance) => GuardHook
  options?: FastifyLoginOptions
  headers?: Record<string, string>
  statusCode: number
}

const ofApp = (app: FastifyInstance) => app.login.guard()
const freshOfApp = (app: FastifyInstance) => app.login.guardFresh()
const later: FastifyLoginOptions = { userLoader: async (id) => ({ id }) }
const down: FastifyLoginOptions = { userLoader: () => { throw new Error('down') } }
const redirecting: FastifyLoginOptions = { unauthorizedHandler: (_request, reply) => { reply.redirect('/other') } }
const returning: FastifyLoginOptions = { needsRefreshHandler: async () => 'prove it' }

/** Every way in which a guard can end a request. */
const denials: Denial[] = [
  { name: 'a redirect to the login page', who: 'nobody', guard: ofApp, statusCode: 302 },
  { name: 'a redirect to the refresh page', who: 'stale', guard: freshOfApp, statusCode: 302 },
  { name: 'a redirect after an async loader', who: 'stale', guard: freshOfApp, options: later, statusCode: 302 },
  { name: 'a 401', who: 'nobody', guard: ofApp, headers: JSON_ONLY, statusCode: 401 },
  { name: 'a 401 for htmx', who: 'nobody', guard: ofApp, headers: { 'hx-request': 'true' }, statusCode: 401 },
  { name: 'a 403', who: 'fresh', guard: (app) => app.login.guard({ allow: () => false }), statusCode: 403 },
  {
    name: 'a 403 after an async allow',
    who: 'fresh',
    guard: (app) => app.login.guard({ allow: async () => false }),
    statusCode: 403
  },
  { name: 'a loader that fails', who: 'fresh', guard: ofApp, options: down, statusCode: 500 },
  { name: 'guardAnonymous', who: 'fresh', guard: (app) => app.login.guardAnonymous(), statusCode: 302 },
  { name: 'an own handler that redirects', who: 'nobody', guard: ofApp, options: redirecting, statusCode: 302 },
  { name: 'an own handler that returns', who: 'stale', guard: freshOfApp, options: returning, statusCode: 200 },
  { name: 'the plain guard', who: 'nobody', guard: () => guard(), statusCode: 302 },
  { name: 'the plain guardFresh', who: 'stale', guard: () => guardFresh(), statusCode: 302 },
  { name: 'the plain guardAnonymous', who: 'fresh', guard: () => guardAnonymous(), statusCode: 302 }
]

/** `/` behind the guard, and how often its handler ran. */
async function behind (denial: Denial, hook: typeof HOOKS[number], addToScope = false) {
  const app = await build(denial.options)
  let runs = 0
  const handler = async () => { runs++ }
  if (addToScope) {
    app.addHook(hook as 'preHandler', denial.guard(app))
    app.get('/', handler)
  } else {
    app.get('/', { [hook]: denial.guard(app) }, handler)
  }
  const cookies = denial.who === 'nobody'
    ? {}
    : await app.login.cookiesFor({ id: 'ann' }, { fresh: denial.who === 'fresh' })
  return { app, cookies, runs: () => runs }
}

for (const hook of HOOKS) {
  t.test(`in ${hook}, the handler does not run whatever async hooks follow`, async (t) => {
    for (const denial of denials) {
      for (const addToScope of [false, true]) {
        const { app, cookies, runs } = await behind(denial, hook, addToScope)
        // Responses wait for this hook, so `reply.sent` turns true late.
        app.addHook('onSend', async () => { await sleep(5) })
        const response = await app.inject({ url: '/', cookies, headers: denial.headers ?? {} })
        await sleep(5)
        t.strictSame(
          [response.statusCode, runs()],
          [denial.statusCode, 0],
          `${denial.name}${addToScope ? ', for a scope' : ''}`
        )
      }
    }
  })

  t.test(`in ${hook}, the handler does not run when the client leaves while an async hook is under way`, async (t) => {
    for (const denial of denials) {
      const { app, cookies, runs } = await behind(denial, hook)
      const left = new Promise<void>((resolve) => app.addHook('onSend', async (request) => {
        client.destroy()
        await once(request.raw.socket, 'close')
        await sleep(5)
        resolve()
      }))
      await app.listen({ port: 0, host: '127.0.0.1' })
      const client = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
      const cookie = Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join('; ')
      const headers = Object.entries({ host: 'own.example', cookie, ...denial.headers })
        .map(([name, value]) => `${name}: ${value}\r\n`)
      client.write(`GET / HTTP/1.1\r\n${headers.join('')}\r\n`)
      await left
      await sleep(5)
      await app.close()
      t.equal(runs(), 0, denial.name)
    }
  })
}

t.test('the handler runs once for whoever may pass, whatever async hooks follow', async (t) => {
  const passes: [who: Who, name: string, guard: (app: FastifyInstance) => GuardHook][] = [
    ['fresh', 'guard', (app) => app.login.guard()],
    ['stale', 'guard', (app) => app.login.guard()],
    ['fresh', 'guardFresh', (app) => app.login.guardFresh()],
    ['fresh', 'guard with allow', (app) => app.login.guard({ allow: async () => true })],
    ['nobody', 'guardAnonymous', (app) => app.login.guardAnonymous()],
    ['stale', 'the plain guard', () => guard()],
    ['fresh', 'the plain guardFresh', () => guardFresh()],
    ['nobody', 'the plain guardAnonymous', () => guardAnonymous()]
  ]
  for (const hook of HOOKS) {
    for (const [who, name, guard] of passes) {
      const { app, cookies, runs } = await behind({ name, who, guard, statusCode: 200 }, hook)
      t.match(await app.inject({ url: '/', cookies }), { statusCode: 200 }, `${name} in ${hook}`)
      t.equal(runs(), 1)
    }
  }
})

t.test('a handler that fails is not run again by the guard before it', async (t) => {
  for (const userLoader of [people().userLoader, async () => ({ id: 'ann' })]) {
    const app = await build({ userLoader })
    let runs = 0
    app.get('/', { preHandler: app.login.guard() }, () => {
      runs++
      throw new TypeError('handler')
    })
    const response = await app.inject({ url: '/', cookies: await app.login.cookiesFor({ id: 'ann' }) })
    t.match(response, { statusCode: 500, body: /handler/ })
    t.equal(runs, 1)
  }
})

t.test('in onRequest strangers cost no body parsing', async (t) => {
  for (const hook of HOOKS) {
    const app = await build()
    let parsed = 0
    app.addContentTypeParser('application/upload', { parseAs: 'buffer' }, (_request, _body, done) => {
      parsed++
      done(null, {})
    })
    app.post('/upload', { [hook]: app.login.guard() }, async () => 'passed')
    const upload = {
      method: 'POST', url: '/upload', headers: { 'content-type': 'application/upload' }, payload: 'x'.repeat(100_000)
    } as const
    t.match(await app.inject(upload), { statusCode: 302 })
    t.equal(parsed, hook === 'onRequest' ? 0 : 1, hook)
    t.match(await app.inject({ ...upload, cookies: await app.login.cookiesFor({ id: 'ann' }) }), { statusCode: 200 })
    t.equal(parsed, hook === 'onRequest' ? 1 : 2, hook)
  }
})

t.test('the plain exports serve routes declared before the plugin has loaded', async (t) => {
  const app = Fastify()
  app.register(fastifyLogin, { secret: SECRET, userLoader: people().userLoader, loginUrl: '/sign-in' })
  app.get('/', { preHandler: guard() }, async (request) => request.requireUser())
  app.get('/fresh', { preHandler: guardFresh({ refreshUrl: '/confirm' }) }, async (request) => request.requireUser())
  app.get('/sign-in', { onRequest: guardAnonymous({ redirectUrl: '/home' }) }, async () => 'form')
  t.equal(app.login, undefined)
  await app.ready()

  const stale = await app.login.cookiesFor({ id: 'ann' }, { fresh: false })
  const responses: [url: string, stranger: string | 200, stale: string | 200][] = [
    ['/', '/sign-in?next=%2F', 200],
    ['/fresh', '/sign-in?next=%2Ffresh', '/confirm?next=%2Ffresh'],
    ['/sign-in', 200, '/home']
  ]
  for (const [url, ...expected] of responses) {
    const got = [await app.inject(url), await app.inject({ url, cookies: stale })]
    t.strictSame(
      got.map(({ statusCode, headers }) => statusCode === 302 ? headers.location : statusCode),
      expected,
      url
    )
  }
})

t.test('the plain exports ask the login of their route\'s scope, app.login.guard() that of app', async (t) => {
  const app = await build()
  const plain = guard()
  app.get('/', { preHandler: plain }, async () => 'root')
  await app.register(async (staff) => {
    await staff.register(fastifyLogin, {
      secret: SECRET,
      userLoader: () => ({ id: 'eve' }),
      loginUrl: '/staff/login',
      session: { cookieName: 'staff' },
      remember: { cookieName: 'staff-remember' }
    })
    staff.get('/plain', { preHandler: plain }, async (request) => request.requireUser())
    staff.get('/outer', { preHandler: app.login.guard() }, async () => 'outer')
    staff.get('/inner', { preHandler: staff.login.guard() }, async () => 'inner')
  }, { prefix: '/staff' })
  const pages = async (cookies: Record<string, string>) => {
    const responses = await Promise.all([
      '/', '/staff/plain', '/staff/outer', '/staff/inner'
    ].map((url) => app.inject({ url, cookies })))
    return responses.map(({ headers, statusCode }) => headers.location?.split('?')[0] ?? statusCode)
  }
  t.strictSame(await pages({}), ['/login', '/staff/login', '/login', '/staff/login'])
  t.strictSame(await pages(await app.login.cookiesFor({ id: 'ann' })), [200, '/staff/login', 200, '/staff/login'])
})

t.test('a plain guard where no login is in scope is a clear error, and passes nobody', async (t) => {
  const app = Fastify()
  let runs = 0
  for (const [index, preHandler] of [guard(), guardFresh(), guardAnonymous()].entries()) {
    app.get(`/${index}`, { preHandler }, async () => { runs++ })
  }
  // A login in a child scope serves that scope alone.
  app.register(async (child) => {
    await child.register(fastifyLogin, { secret: SECRET, userLoader: people().userLoader })
  }, { prefix: '/child' })
  for (const url of ['/0', '/1', '/2']) {
    t.match((await app.inject(url)).json(), {
      statusCode: 500, code: 'FST_LOGIN_INVALID_OPTIONS', message: /register the plugin in this scope/
    })
  }
  t.equal(runs, 0)
})

t.test('a guard that was handed over instead of made passes nobody', async (t) => {
  const app = await build()
  let runs = 0
  const { login } = app
  const mistaken = [login.guard, login.guardFresh, login.guardAnonymous, guard, guardFresh, guardAnonymous]
  for (const [index, factory] of mistaken.entries()) {
    app.get(`/${index}`, { preHandler: factory as unknown as GuardHook }, async () => { runs++ })
  }
  const cookies = await app.login.cookiesFor({ id: 'ann' })
  for (const index of mistaken.keys()) {
    t.match((await app.inject({ url: `/${index}`, cookies })).json(), {
      statusCode: 500, code: 'FST_LOGIN_INVALID_OPTIONS'
    })
  }
  t.equal(runs, 0)
})

// Flask-Login F6: where the view itself raises, the fresh guard calls it again.
t.test('a handler that throws behind a guard runs once, whatever it throws', async (t) => {
  const ownError = Object.assign(new Error('own'), { code: 'FST_LOGIN_UNAUTHORIZED' })
  for (const error of [new TypeError('x is undefined'), new ReferenceError('y'), ownError]) {
    const { app, user } = await site()
    let runs = 0
    for (const [url, preHandler] of [
      ['/guarded', app.login.guard()], ['/guarded/fresh', app.login.guardFresh()]
    ] as const) {
      app.get(url, { preHandler }, async () => {
        runs++
        throw error
      })
    }
    const cookies = await app.login.cookiesFor(user('ann'))
    for (const url of ['/guarded', '/guarded/fresh']) t.equal((await app.inject({ url, cookies })).statusCode, 500)
    t.equal(runs, 2, error.name)
  }
})
