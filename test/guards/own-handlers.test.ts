import { Readable } from 'node:stream'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { DeniedHandler } from '../../src/index.js'
import { build } from '../support/app.js'

interface Expected { statusCode: number, body?: string | RegExp, headers?: Record<string, string | RegExp> }

const NO_ANSWER = (option: string): Expected => ({
  statusCode: 500, body: new RegExp(`"FST_LOGIN_NO_ANSWER".*${option} ended without answering`)
})

const TEAPOT: Expected = { statusCode: 418, body: 'teapot' }
const SENT_ON: Expected = { statusCode: 302, headers: { location: '/own' } }
const PAY: Expected = { statusCode: 402, body: /pay first/ }
const pay = () => Object.assign(new Error('pay first'), { statusCode: 402 })

const withStatus = (statusCode: number, value: unknown): DeniedHandler => async (_request, reply) => {
  reply.code(statusCode)
  return value
}

const handlers: Record<string, [handler: DeniedHandler, expected: Expected | typeof NO_ANSWER]> = {
  sends: [(_request, reply) => { reply.code(418).send('teapot') }, TEAPOT],
  'returns the reply it sent': [(_request, reply) => reply.code(418).header('x-own', 'yes').send('teapot'), {
    ...TEAPOT, headers: { 'x-own': 'yes' }
  }],
  'sends nothing': [(_request, reply) => reply.code(204).send(), { statusCode: 204, body: '' }],
  redirects: [
    (_request, reply) => reply.redirect('/own?a=b', 303), { statusCode: 303, headers: { location: '/own?a=b' } }
  ],
  'redirects without returning': [(_request, reply) => { reply.redirect('/own') }, SENT_ON],
  'redirects after waiting': [async (_request, reply) => turn().then(() => { reply.redirect('/own') }), SENT_ON],
  'redirects and returns after waiting': [
    async (_request, reply) => turn().then(() => reply.redirect('/own')), SENT_ON
  ],
  'waits for its redirect': [async (_request, reply) => { await reply.redirect('/own') }, SENT_ON],
  'returns a value': [() => ({ login: 'please' }), { statusCode: 200, body: '{"login":"please"}' }],
  'returns a value later': [async () => 'please', { statusCode: 200, body: 'please' }],
  'returns a value with a status': [
    withStatus(401, { login: 'please' }), { statusCode: 401, body: '{"login":"please"}' }
  ],
  'returns null': [withStatus(403, null), { statusCode: 403, body: /^(null)?$/ }],
  'returns an empty string': [() => '', { statusCode: 200, body: '' }],
  throws: [() => { throw pay() }, PAY],
  'throws later': [async () => turn().then(() => { throw pay() }), PAY],
  'returns an error': [() => pay(), PAY],
  'sends an error': [(_request, reply) => { reply.send(pay()) }, PAY],
  'pretends there is nothing': [(_request, reply) => { reply.callNotFound() }, { statusCode: 404, body: /Not Found/ }],
  'returns that there is nothing': [(_request, reply) => reply.callNotFound(), { statusCode: 404, body: /Not Found/ }],
  hijacks: [(_request, reply) => { reply.hijack().raw.writeHead(418).end('teapot') }, TEAPOT],
  'hijacks and answers later': [(_request, reply) => {
    setImmediate(() => reply.raw.writeHead(418).end('teapot')) && reply.hijack()
  }, TEAPOT],
  'ends the raw response': [(_request, reply) => { reply.raw.writeHead(418).end('teapot') }, TEAPOT],
  'returns the reply and sends later': [
    (_request, reply) => setImmediate(() => reply.code(418).send('teapot')) && reply, TEAPOT
  ],
  'ends without answering': [() => {}, NO_ANSWER],
  'ends without answering later': [async () => { await turn() }, NO_ANSWER],
  'ends without answering, but with a status': [(_request, reply) => { reply.code(204) }, NO_ANSWER]
}

for (const [does, [handler, expected]] of Object.entries(handlers)) {
  t.test(`an own handler that ${does} is the answer, and the route's handler does not run`, async (t) => {
    for (const option of ['unauthorizedHandler', 'needsRefreshHandler'] as const) {
      for (const slowEnd of [false, true]) {
        const app = await build({ [option]: handler })
        let runs = 0
        if (slowEnd) app.addHook('onSend', async () => { await sleep(5) })
        app.get('/', { preHandler: app.login.guardFresh() }, async () => { runs++ })
        const cookies = option === 'needsRefreshHandler'
          ? await app.login.cookiesFor({ id: 'ann' }, { fresh: false })
          : {}
        const response = await app.inject({ url: '/', cookies })
        t.match(
          response,
          typeof expected === 'function' ? expected(option) : expected,
          `${option}${slowEnd ? ' before an async onSend' : ''}`
        )
        await turn()
        t.equal(runs, 0)
      }
    }
  })
}

t.test('each handler is asked for its own case only, and gets request and reply', async (t) => {
  const app = await build({
    unauthorizedHandler: async (request) => `stranger at ${request.url}`,
    needsRefreshHandler: async (request, reply) =>
      `${request.requireUser<{ name: string }>().name} at ${reply.request.url}`
  })
  app.get('/', { preHandler: app.login.guard() }, async () => 'passed')
  app.get('/fresh', { preHandler: app.login.guardFresh() }, async () => 'passed')
  const bodies = async (cookies: Record<string, string>) => {
    return [(await app.inject({ url: '/', cookies })).body, (await app.inject({ url: '/fresh', cookies })).body]
  }
  t.strictSame(await bodies({}), ['stranger at /', 'stranger at /fresh'])
  t.strictSame(await bodies(await app.login.cookiesFor({ id: 'ann' }, { fresh: false })), ['passed', 'Ann at /fresh'])
  t.strictSame(await bodies(await app.login.cookiesFor({ id: 'ann' })), ['passed', 'passed'])
})

t.test('an own handler answers whatever the headers ask for, and may use loginUrlFor', async (t) => {
  const app = await build({
    unauthorizedHandler: (request, reply) => reply.code(401).send({ go: app.login.loginUrlFor(request) })
  })
  app.get('/page', { preHandler: app.login.guard({ redirect: 'always' }) }, async () => 'passed')
  for (const headers of [
    { accept: 'text/html' }, { accept: 'application/json' }, { 'hx-request': 'true' }, { upgrade: 'websocket' }
  ]) {
    t.match(await app.inject({ url: '/page?x=1', headers: headers as Record<string, string> }), {
      statusCode: 401,
      body: '{"go":"/login?next=%2Fpage%3Fx%3D1"}',
      headers: { 'hx-redirect': undefined, 'cache-control': 'no-store', vary: 'Cookie' }
    })
  }
})

t.test('an own handler stands before no other answer: 403, exempt routes and errors stay', async (t) => {
  const app = await build({
    unauthorizedHandler: () => 'own',
    needsRefreshHandler: () => 'own',
    userLoader: (id) => {
      if (id === 'ann') return { id }
      throw new Error('down')
    }
  })
  app.get('/', { preHandler: app.login.guardFresh({ allow: () => false }) }, async () => 'passed')
  app.get('/login', { preHandler: app.login.guard() }, async () => 'form')
  t.match(await app.inject({ url: '/', cookies: await app.login.cookiesFor({ id: 'ann' }) }), { statusCode: 403 })
  t.match(await app.inject({ url: '/', cookies: await app.login.cookiesFor({ id: 'bob' }) }), {
    statusCode: 500, body: /down/
  })
  t.match(await app.inject('/login'), { statusCode: 200, body: 'form' })
})

t.test('an own handler may stream', async (t) => {
  const app = await build({ unauthorizedHandler: () => Readable.from(['please ', 'log in']) })
  app.get('/', { preHandler: app.login.guard() }, async () => 'passed')
  t.match(await app.inject('/'), { statusCode: 200, body: 'please log in' })
})

t.test('over a real socket, an own handler that ends without answering hangs nobody', async (t) => {
  const app = await build({ unauthorizedHandler: async () => { await turn() } })
  app.get('/', { preHandler: app.login.guard() }, async () => 'passed')
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  const response = await fetch(address)
  t.equal(response.status, 500)
  t.match(await response.json(), { code: 'FST_LOGIN_NO_ANSWER' })
})
