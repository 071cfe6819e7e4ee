import staticFiles from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { guard } from '../../src/index.js'
import type { FastifyLoginOptions } from '../../src/index.js'
import { build } from '../support/app.js'
import { setCookies } from '../support/browser.js'

const JSON_ONLY = { accept: 'application/json' }

/** Routes of every kind, some guarded. */
async function pages (options: FastifyLoginOptions = {}) {
  const app = await build(options)
  const { login } = app
  app.get('/', async () => 'open')
  app.get('/asks', async (request) => ({ user: await request.getCurrentUser() }))
  app.get('/guarded', { preHandler: login.guard() }, async () => 'passed')
  app.get('/fresh', { onRequest: login.guardFresh() }, async () => 'passed')
  app.get('/forbidden', { preHandler: login.guard({ allow: () => false }) }, async () => 'passed')
  app.get('/broken', { preHandler: login.guard() }, async () => { throw new Error('broken') })
  app.get('/verified', { preHandler: login.verify }, async () => 'passed')
  app.get('/plain', { preHandler: guard() }, async () => 'passed')
  app.get('/login', { preHandler: login.guardAnonymous() }, async () => 'form')
  app.get('/public', { preHandler: login.guard(), config: { login: { public: true } } }, async () => 'open')
  app.get(
    '/cached',
    { preHandler: login.guard() },
    async (_request, reply) => reply.header('cache-control', 'private, max-age=60').send('passed')
  )
  app.get(
    '/uncached',
    { preHandler: login.guard() },
    async (_request, reply) => reply.header('Cache-Control', '').send('passed')
  )
  app.get('/storable', { preHandler: login.guard({ noStore: false }) }, async () => 'passed')
  app.get('/unstorable', { preHandler: login.guard({ noStore: true }) }, async () => 'passed')
  return app
}

/** Status, Cache-Control and Vary. */
async function headersOf (
  app: FastifyInstance, url: string, who: 'nobody' | 'fresh' | 'stale', headers: Record<string, string> = {}
) {
  const cookies = who === 'nobody' ? {} : await app.login.cookiesFor({ id: 'ann' }, { fresh: who === 'fresh' })
  const response = await app.inject({ url, cookies, headers })
  return [response.statusCode, response.headers['cache-control'], response.headers.vary]
}

t.test('whatever a guard stands before is not stored, whatever the answer, and varies by cookie', async (t) => {
  const app = await pages()
  const stored: [
    url: string, who: 'nobody' | 'fresh' | 'stale', statusCode: number, headers?: Record<string, string>
  ][] = [
    ['/guarded', 'fresh', 200],
    ['/guarded', 'nobody', 302],
    ['/guarded', 'nobody', 401, JSON_ONLY],
    ['/guarded', 'nobody', 401, { 'hx-request': 'true' }],
    ['/fresh', 'fresh', 200],
    ['/fresh', 'stale', 302],
    ['/fresh', 'stale', 401, JSON_ONLY],
    ['/forbidden', 'fresh', 403],
    ['/broken', 'fresh', 500],
    ['/verified', 'fresh', 200],
    ['/verified', 'nobody', 401],
    ['/plain', 'fresh', 200],
    ['/login', 'nobody', 200],
    ['/login', 'fresh', 302]
  ]
  for (const [url, who, statusCode, headers = {}] of stored) {
    t.strictSame(await headersOf(app, url, who, headers), [statusCode, 'no-store', 'Cookie'], `${url} for ${who}`)
  }
})

t.test('what no guard stands before is left alone, and varies only where the login was asked for', async (t) => {
  const app = await pages()
  for (const who of ['nobody', 'fresh'] as const) {
    t.strictSame(await headersOf(app, '/', who), [200, undefined, undefined])
    t.strictSame(await headersOf(app, '/public', who), [200, undefined, undefined])
    t.strictSame(await headersOf(app, '/missing', who), [404, undefined, undefined])
    t.strictSame(await headersOf(app, '/asks', who), [200, undefined, 'Cookie'])
  }
})

t.test('what a guarded route says about caching stands', async (t) => {
  const app = await pages()
  t.strictSame(await headersOf(app, '/cached', 'fresh'), [200, 'private, max-age=60', 'Cookie'])
  t.strictSame(
    await headersOf(app, '/cached', 'nobody'),
    [302, 'no-store', 'Cookie'],
    'but its handler has to run for that'
  )
  t.strictSame(await headersOf(app, '/uncached', 'fresh'), [200, '', 'Cookie'])
})

t.test('noStore: false for the plugin or for a guard leaves caching alone', async (t) => {
  const app = await pages()
  t.strictSame(await headersOf(app, '/storable', 'fresh'), [200, undefined, 'Cookie'])
  t.strictSame(await headersOf(app, '/storable', 'nobody'), [302, undefined, 'Cookie'])
  const storing = await pages({ noStore: false })
  for (const [url, statusCode] of [
    ['/guarded', 200], ['/fresh', 200], ['/forbidden', 403], ['/verified', 200], ['/login', 302]
  ] as const) {
    t.strictSame(await headersOf(storing, url, 'fresh'), [statusCode, undefined, 'Cookie'], url)
  }
  t.strictSame(await headersOf(storing, '/guarded', 'nobody', JSON_ONLY), [401, undefined, 'Cookie'])
  t.strictSame(await headersOf(storing, '/unstorable', 'fresh'), [200, 'no-store', 'Cookie'])
})

t.test('of several guards the one closest to the handler decides', async (t) => {
  const app = await build()
  app.addHook('onRequest', app.login.guard())
  app.get('/', { preHandler: app.login.guard({ noStore: false }) }, async () => 'passed')
  t.strictSame(await headersOf(app, '/', 'fresh'), [200, undefined, 'Cookie'])
})

t.test('a guarded response that sets cookies is not stored and varies by cookie', async (t) => {
  const app = await pages()
  const { _remember } = await app.login.cookiesFor({ id: 'ann' }, { remember: true })
  const response = await app.inject({ url: '/guarded', cookies: { _remember: _remember! } })
  t.strictSame(setCookies(response), ['_remember', 'session'])
  t.match(response.headers, { 'cache-control': 'no-store', vary: 'Cookie' })
})

t.test('files without a word about caching are not stored behind a guard; @fastify/static has a word', async (t) => {
  for (const [cacheControl, expected] of [[false, 'no-store'], [true, 'public, max-age=0']] as const) {
    const app = await build()
    await app.register(async (scope) => {
      scope.addHook('onRequest', scope.login.guard())
      await scope.register(staticFiles, { root: import.meta.dirname, cacheControl })
    }, { prefix: '/files' })
    t.strictSame(await headersOf(app, '/files/no-store.test.ts', 'fresh'), [200, expected, 'Cookie'])
    t.strictSame(await headersOf(app, '/files/no-store.test.ts', 'nobody'), [302, 'no-store', 'Cookie'])
  }
})
