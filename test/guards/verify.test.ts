import auth from '@fastify/auth'
import type { FastifyAuthFunction } from '@fastify/auth'
import t from 'tap'
import type { FastifyLoginOptions, LoginEvents } from '../../src/index.js'
import { build } from '../support/app.js'
import { setCookies } from '../support/browser.js'

type Who = 'nobody' | 'fresh' | 'stale'
type Call = 'verify' | 'verifyFresh'

/** Routes by name, each with checks in `app.auth()`; `x-key: ok` satisfies the API key. */
async function authApp (options: FastifyLoginOptions = {}) {
  const app = await build(options)
  await app.register(auth)
  const { verify, verifyFresh } = app.login
  const calls: string[] = []
  const apiKey: FastifyAuthFunction = async (request) => {
    calls.push('apiKey')
    if (request.headers['x-key'] !== 'ok') throw new Error('wrong key')
  }
  const isBob: FastifyAuthFunction = async (request) => {
    calls.push('isBob')
    if (request.requireUser<{ id: string }>().id !== 'bob') {
      throw Object.assign(new Error('not Bob'), { statusCode: 403 })
    }
  }
  const routes = {
    '/alone': app.auth([verify]),
    '/fresh': app.auth([verifyFresh]),
    '/or': app.auth([verify, apiKey]),
    '/key-or': app.auth([apiKey, verify]),
    '/or-all': app.auth([verify, apiKey], { run: 'all' }),
    '/and': app.auth([verify, isBob], { relation: 'and' }),
    '/fresh-and': app.auth([verifyFresh, isBob], { relation: 'and' }),
    '/nested': app.auth([[verify, isBob], apiKey]),
    '/bare': verify,
    '/bare-fresh': verifyFresh
  }
  let runs = 0
  for (const [url, preHandler] of Object.entries(routes)) {
    app.get(url, { preHandler }, async (request) => {
      runs++
      const user = await request.getCurrentUser<{ id: string }>().catch(() => ({ id: 'cannot tell' }))
      return { user: user?.id ?? null }
    })
  }

  async function get (url: keyof typeof routes, who: Who, { id = 'ann', key = '' } = {}) {
    const cookies = who === 'nobody' ? {} : await app.login.cookiesFor({ id }, { fresh: who === 'fresh' })
    const before = runs
    const response = await app.inject({ url, cookies, headers: { 'x-key': key, accept: 'text/html' } })
    const { code, message, user } = response.json() as Record<string, unknown>
    if ((runs > before) !== (response.statusCode === 200)) {
      throw new Error(`answered ${response.statusCode}, and the handler ran ${runs - before} times`)
    }
    if (response.statusCode === 200) return [200, user]
    return [response.statusCode, code ?? message]
  }
  return { app, get, calls }
}

const UNAUTHORIZED = [401, 'FST_LOGIN_UNAUTHORIZED']
const FRESH_REQUIRED = [401, 'FST_LOGIN_FRESH_REQUIRED']

t.test('verify and verifyFresh throw where the guards would answer, and never redirect', async (t) => {
  const { get } = await authApp()
  for (const [verify, verifyFresh] of [['/alone', '/fresh'], ['/bare', '/bare-fresh']] as const) {
    t.strictSame([await get(verify, 'nobody'), await get(verify, 'stale'), await get(verify, 'fresh')], [
      UNAUTHORIZED, [200, 'ann'], [200, 'ann']
    ])
    const answers = [await get(verifyFresh, 'nobody'), await get(verifyFresh, 'stale'), await get(verifyFresh, 'fresh')]
    t.strictSame(answers, [UNAUTHORIZED, FRESH_REQUIRED, [200, 'ann']])
  }
})

t.test('with "or" one of login and API key is enough, and who is logged in needs no key', async (t) => {
  const { get, calls } = await authApp()
  t.strictSame(await get('/or', 'fresh'), [200, 'ann'])
  t.strictSame(calls, [], 'who is logged in needs no key')
  t.strictSame(await get('/or', 'nobody', { key: 'ok' }), [200, null])
  t.strictSame(await get('/or', 'nobody'), [401, 'wrong key'])
  t.strictSame(await get('/key-or', 'nobody'), UNAUTHORIZED)
  t.strictSame(await get('/key-or', 'stale'), [200, 'ann'])
  t.strictSame(await get('/or-all', 'nobody', { key: 'ok' }), [200, null])
  t.strictSame(await get('/or-all', 'fresh', { key: 'wrong' }), [200, 'ann'])
})

t.test('with "and" a login alone is not enough, and nothing after a missing login is asked', async (t) => {
  const { get, calls } = await authApp()
  t.strictSame(await get('/and', 'nobody', { id: 'bob' }), UNAUTHORIZED)
  t.strictSame(calls, [], 'what comes after is not asked')
  t.strictSame(await get('/and', 'stale', { id: 'ann' }), [403, 'not Bob'])
  t.strictSame(await get('/and', 'stale', { id: 'bob' }), [200, 'bob'])
  t.strictSame(await get('/fresh-and', 'stale', { id: 'bob' }), FRESH_REQUIRED)
  t.strictSame(await get('/fresh-and', 'fresh', { id: 'bob' }), [200, 'bob'])
  t.strictSame(await get('/nested', 'fresh', { id: 'ann' }), [401, 'wrong key'])
  t.strictSame(await get('/nested', 'fresh', { id: 'ann', key: 'ok' }), [200, 'ann'])
  t.strictSame(await get('/nested', 'fresh', { id: 'bob' }), [200, 'bob'])
})

t.test('verify and verifyFresh tell listeners what the guards tell', async (t) => {
  const { app, get } = await authApp()
  const told: [event: string, payload: object][] = []
  for (const event of ['unauthorized', 'needsRefresh'] satisfies (keyof LoginEvents)[]) {
    app.login.on(event, (payload) => told.push([event, { ...payload, request: payload.request.url }]))
  }
  for (const who of ['nobody', 'stale', 'fresh'] as const) {
    for (const url of ['/alone', '/fresh'] as const) await get(url, who)
  }
  t.strictSame(told, [
    ['unauthorized', { request: '/alone' }],
    ['unauthorized', { request: '/fresh' }],
    ['needsRefresh', { request: '/fresh', user: { id: 'ann', name: 'Ann' } }]
  ])
})

t.test('verify and verifyFresh that cannot tell who is there say so: no pass, no 401, the cookies stay', async (t) => {
  const failures: [failure: unknown, expected: [number, unknown]][] = [
    [new Error('down'), [500, 'down']],
    [Object.assign(new Error('down'), { statusCode: 503 }), [503, 'down']],
    [Object.assign(new Error('down'), { statusCode: 503, code: 'DOWN' }), [503, 'DOWN']]
  ]
  for (const [failure, expected] of failures) {
    for (const userLoader of [() => { throw failure }, async () => { throw failure }]) {
      const { app, get } = await authApp({ userLoader })
      for (const url of ['/alone', '/fresh', '/and', '/fresh-and', '/bare', '/bare-fresh'] as const) {
        t.strictSame(await get(url, 'fresh'), expected, url)
      }
      t.strictSame(await get('/or', 'fresh', { key: 'ok' }), [200, 'cannot tell'], 'another way in still is one')
      const response = await app.inject({
        url: '/alone', cookies: await app.login.cookiesFor({ id: 'ann' }, { remember: true })
      })
      t.strictSame(setCookies(response), [])
    }
  }
  const { get } = await authApp({ userLoader: async () => { throw null } }) // eslint-disable-line no-throw-literal
  t.equal((await get('/bare', 'fresh'))[0], 500)
})

t.test('what verify and verifyFresh throw can be caught by who calls them', async (t) => {
  const app = await build()
  for (const call of ['verify', 'verifyFresh'] as Call[]) {
    app.get(`/${call}`, async (request, reply) => {
      const error = await app.login[call](request, reply).then(() => null, (error: { code: string }) => error.code)
      return { error }
    })
  }
  const stale = await app.login.cookiesFor({ id: 'ann' }, { fresh: false })
  const errors = async (cookies: Record<string, string>) => {
    return [
      (await app.inject({ url: '/verify', cookies })).json().error,
      (await app.inject({ url: '/verifyFresh', cookies })).json().error
    ]
  }
  t.strictSame(await errors({}), ['FST_LOGIN_UNAUTHORIZED', 'FST_LOGIN_UNAUTHORIZED'])
  t.strictSame(await errors(stale), [null, 'FST_LOGIN_FRESH_REQUIRED'])
})

t.test('verify leaves open the routes that a guard leaves open', async (t) => {
  const app = await build()
  app.addHook('onRequest', app.login.verify)
  app.get('/login', async () => 'form')
  app.get('/public', { config: { login: { public: true } } }, async () => 'public')
  app.get('/', async () => 'passed')
  const statuses = await Promise.all(['/login', '/public', '/'].map(async (url) => (await app.inject(url)).statusCode))
  t.strictSame(statuses, [200, 200, 401])
})
