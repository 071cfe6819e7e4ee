import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { FastifyLoginOptions, GuardOptions } from '../../src/index.js'
import { build } from '../support/app.js'
import { site } from '../support/site.js'

type Headers = Record<string, string>
type Answer = 'redirect' | 401 | 'htmx'

/** `/` asks for a login, `/fresh` for a fresh one. */
async function guarded (options: FastifyLoginOptions = {}, guardOptions: GuardOptions = {}): Promise<FastifyInstance> {
  const app = await build({ loginUrl: '/sign-in', refreshUrl: '/confirm', ...options })
  app.setErrorHandler((error: { code: string, statusCode: number }, _request, reply) => {
    return reply.code(error.statusCode).header('x-error-handler', 'ours').send(error)
  })
  app.get('/', { preHandler: app.login.guard(guardOptions) }, async () => 'passed')
  app.get('/fresh', { preHandler: app.login.guardFresh(guardOptions) }, async () => 'passed')
  return app
}

/** What a stranger gets at `/`, and a stale login at `/fresh`; both by the same rule. */
async function answers (
  app: FastifyInstance, headers: Headers
): Promise<[stranger: Answer | 'other', stale: Answer | 'other']> {
  const stale = await app.login.cookiesFor({ id: 'ann' }, { fresh: false })
  return [
    await answer(app, { url: '/', headers }, '/sign-in?next=%2F', 'FST_LOGIN_UNAUTHORIZED'),
    await answer(app, { url: '/fresh', headers, cookies: stale }, '/confirm?next=%2Ffresh', 'FST_LOGIN_FRESH_REQUIRED')
  ]
}

async function answer (
  app: FastifyInstance, request: { url: string, headers: Headers, cookies?: Headers }, page: string, code: string
) {
  const { statusCode, headers, body } = await app.inject(request)
  const { location, 'hx-redirect': htmx } = headers
  if (statusCode === 302 && location === page && htmx === undefined && body === '') return 'redirect'
  if (statusCode !== 401 || location !== undefined || JSON.parse(body).code !== code) return 'other'
  return htmx === undefined ? 401 : htmx === page ? 'htmx' : 'other'
}

const HTML = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
const PEOPLE: Headers[] = [{ accept: HTML }, {}, { 'hx-request': 'true' }]
const IMAGE = 'image/avif,image/webp,*/*;q=0.8'

const auto: [expected: Answer, headers: Headers][] = [
  // who names HTML
  ['redirect', { accept: HTML }],
  ['redirect', { accept: 'text/html' }],
  ['redirect', { accept: 'TEXT/HTML; charset=utf-8' }],
  ['redirect', { accept: 'application/json, text/html;q=0.1' }],
  ['redirect', { accept: 'application/xhtml+xml' }],
  ['redirect', { accept: 'text/html;q=0.001' }],
  ['redirect', { accept: 'text/html', 'x-requested-with': 'XMLHttpRequest' }],
  ['redirect', { accept: HTML, 'sec-fetch-mode': 'cors' }],
  ...['document', 'iframe', 'frame', 'fencedframe', 'embed', 'object', 'empty']
    .map((destination): [Answer, Headers] => ['redirect', { accept: HTML, 'sec-fetch-dest': destination }]),
  ...[
    'image', 'script', 'style', 'font', 'audio', 'video', 'track', 'manifest', 'worker', 'sharedworker',
    'serviceworker', 'audioworklet', 'report', 'xslt', ''
  ]
    .map((destination): [Answer, Headers] => [401, { accept: HTML, 'sec-fetch-dest': destination }]),
  // who names other types only
  [401, { accept: 'application/json' }],
  [401, { accept: 'application/json', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }],
  [401, { accept: 'image/png,image/*;q=0.8' }],
  [401, { accept: 'text/event-stream' }],
  [401, { accept: 'text/html;q=0' }],
  [401, { accept: 'text/html ; q=0.000, application/json' }],
  [401, { accept: 'text/htmlx' }],
  [401, { accept: 'application/json;profile="text/html"' }],
  [401, { accept: '*/*;q=0' }],
  [401, { accept: 'garbage' }],
  // who names none
  ['redirect', {}],
  ['redirect', { accept: '' }],
  ['redirect', { accept: '*/*' }],
  ['redirect', { accept: '*/*', 'sec-fetch-mode': 'navigate' }],
  ['redirect', { accept: 'application/json, */*;q=0.1' }],
  ['redirect', { 'x-requested-with': 'com.example.webview' }],
  [401, { accept: '*/*', 'sec-fetch-mode': 'cors' }],
  [401, { accept: '*/*', 'sec-fetch-mode': 'same-origin' }],
  [401, { accept: IMAGE, 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }],
  [401, { 'sec-fetch-mode': 'no-cors' }],
  [401, { 'sec-fetch-mode': '' }],
  [401, { accept: '*/*', 'x-requested-with': 'XMLHttpRequest' }],
  [401, { 'x-requested-with': 'XMLHttpRequest', 'sec-fetch-mode': 'navigate' }],
  // htmx before all of these
  ['htmx', { 'hx-request': 'true' }],
  ['htmx', { 'hx-request': 'true', accept: HTML }],
  ['htmx', { 'hx-request': 'true', accept: 'application/json', 'sec-fetch-mode': 'cors' }],
  ['htmx', { 'hx-request': 'true', 'hx-boosted': 'true', 'x-requested-with': 'XMLHttpRequest' }],
  // and a WebSocket before htmx
  [401, { upgrade: 'websocket', connection: 'upgrade' }],
  [401, { upgrade: 'WebSocket', accept: HTML, 'hx-request': 'true' }],
  ['redirect', { upgrade: 'h2c', accept: HTML }]
]

t.test('redirect or 401 is told from the headers of the request', async (t) => {
  const app = await guarded()
  for (const [expected, headers] of auto) {
    t.strictSame(await answers(app, headers), [expected, expected], JSON.stringify(headers))
  }
})

t.test('without a login page the answer is 401, always', async (t) => {
  const without: [options: FastifyLoginOptions, guardOptions: GuardOptions][] = [
    [{ loginUrl: null, refreshUrl: null }, {}],
    [{ loginUrl: null, refreshUrl: undefined }, {}],
    [{ refreshUrl: null }, { loginUrl: null }],
    [{ loginUrl: null, refreshUrl: null }, { redirect: 'always' }]
  ]
  for (const each of without) {
    const app = await guarded(...each)
    for (const headers of PEOPLE) t.strictSame(await answers(app, headers), [401, 401], JSON.stringify([each, headers]))
  }
})

t.test('redirect: "always" redirects programs too, but no WebSocket', async (t) => {
  const app = await guarded({}, { redirect: 'always' })
  const programs: Headers[] = [
    { accept: 'application/json' }, { accept: HTML, 'sec-fetch-dest': 'image' },
    { 'x-requested-with': 'XMLHttpRequest' }, { 'hx-request': 'true' }
  ]
  for (const headers of programs) {
    t.strictSame(await answers(app, headers), ['redirect', 'redirect'], JSON.stringify(headers))
  }
  t.strictSame(await answers(app, { upgrade: 'websocket' }), [401, 401])
})

t.test('redirect: "never" answers people with 401 too', async (t) => {
  const app = await guarded({}, { redirect: 'never' })
  for (const headers of PEOPLE) t.strictSame(await answers(app, headers), [401, 401], JSON.stringify(headers))
  const byDefault = await guarded({}, { redirect: 'auto' })
  t.strictSame(await answers(byDefault, { accept: HTML }), ['redirect', 'redirect'])
})

t.test('a 401 says what is missing, in Fastify\'s own form', async (t) => {
  const app = await guarded()
  const headers = { accept: 'application/json' }
  t.strictSame((await app.inject({ url: '/', headers })).json(), {
    statusCode: 401, code: 'FST_LOGIN_UNAUTHORIZED', error: 'Unauthorized', message: 'This needs a login'
  })
  const cookies = await app.login.cookiesFor({ id: 'ann' }, { fresh: false })
  t.strictSame((await app.inject({ url: '/fresh', headers, cookies })).json(), {
    statusCode: 401,
    code: 'FST_LOGIN_FRESH_REQUIRED',
    error: 'Unauthorized',
    message: 'This needs a fresh login: sign in again'
  })
})

t.test('a 401 goes through the error handler of the application, a redirect does not', async (t) => {
  const app = await guarded()
  const ours = { 'x-error-handler': 'ours' }
  t.match(await app.inject({ url: '/', headers: { accept: 'application/json' } }), { statusCode: 401, headers: ours })
  const htmx = await app.inject({ url: '/', headers: { 'hx-request': 'true' } })
  t.match(htmx, { statusCode: 401, headers: { ...ours, 'hx-redirect': '/sign-in?next=%2F' } })
  t.match(await app.inject({ url: '/', headers: { accept: HTML } }), {
    statusCode: 302, headers: { 'x-error-handler': undefined }
  })
})

t.test('a route that describes its own 401 gets that', async (t) => {
  const app = await build()
  const response = {
    401: { type: 'object', properties: { code: { type: 'string' }, hint: { type: 'string', default: 'sign in' } } }
  }
  app.get('/', { preHandler: app.login.guard(), schema: { response } }, async () => 'passed')
  const refused = await app.inject({ url: '/', headers: { accept: 'application/json' } })
  t.match(refused, { statusCode: 401, body: '{"code":"FST_LOGIN_UNAUTHORIZED","hint":"sign in"}' })
})

t.test('each answer is told to listeners once, with the user where there is one', async (t) => {
  const app = await guarded()
  const told: unknown[] = []
  app.login.on('unauthorized', (payload) => told.push(['unauthorized', Object.keys(payload), payload.request.url]))
  app.login.on(
    'needsRefresh',
    (payload) => told.push(['needsRefresh', Object.keys(payload), payload.request.url, payload.user])
  )
  await answers(app, { accept: HTML })
  await answers(app, { accept: 'application/json' })
  await app.inject({ url: '/', cookies: await app.login.cookiesFor({ id: 'ann' }) })
  const unauthorized = ['unauthorized', ['request'], '/']
  const needsRefresh = ['needsRefresh', ['request', 'user'], '/fresh', { id: 'ann', name: 'Ann' }]
  t.strictSame(told, [unauthorized, needsRefresh, unauthorized, needsRefresh])
})

// microdot M27: every method and every client is sent on with 302.
t.test('programs get 401 with a code, people a redirect that repeats no method but GET, HEAD and POST', async (t) => {
  const { app } = await site()
  app.route({
    method: ['GET', 'POST', 'PUT', 'DELETE'], url: '/thing', preHandler: app.login.guard(), handler: async () => 'thing'
  })
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
