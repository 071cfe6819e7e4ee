import { once } from 'node:events'
import websocket from '@fastify/websocket'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import WebSocket from 'ws'
import type { FastifyLoginOptions } from '../../src/index.js'
import { build } from '../support/app.js'
import { setCookies } from '../support/browser.js'
import { Clock } from '../support/clock.js'
import { people } from '../support/users.js'

type Cookies = Record<string, string | undefined>

const cookieHeader = (cookies: Cookies) => Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join('; ')

/** A socket at `/chat` behind a guard, and others; each tells whom it is talking to and closes. */
async function chat (options: FastifyLoginOptions = {}) {
  const clock = new Clock()
  const app = await build({ clock: clock.read, session: { idleSeconds: 1000 }, ...options })
  await app.register(websocket)
  const tell = async (socket: WebSocket, request: FastifyRequest) => {
    const user = await request.getCurrentUser<{ id: string }>()
    socket.send(JSON.stringify({ user: user?.id ?? null, kind: request.loginState.kind }))
    socket.close()
  }
  app.get('/chat', { websocket: true, onRequest: app.login.guard() }, tell)
  app.get('/late', { websocket: true, preHandler: app.login.guard() }, tell)
  app.get('/fresh', { websocket: true, preValidation: app.login.guardFresh() }, tell)
  app.get('/forbidden', { websocket: true, onRequest: app.login.guard({ allow: () => false }) }, tell)
  app.get('/always', { websocket: true, onRequest: app.login.guard({ redirect: 'always' }) }, tell)
  app.get('/verified', { websocket: true, onRequest: app.login.verify }, tell)
  app.get('/open', { websocket: true }, tell)
  return { app, clock }
}

/** Over a real socket: what the other side says, or the status of its refusal; with the cookies that came. */
async function talk (
  app: FastifyInstance, path: string, { cookies = {} as Cookies, headers = {} as Record<string, string> } = {}
) {
  if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, {
    headers: { cookie: cookieHeader(cookies), ...headers }
  })
  const messages: string[] = []
  socket.on('message', (data) => messages.push(String(data)))
  const upgraded = once(socket, 'upgrade').then(async ([response]) => {
    await once(socket, 'close')
    return { said: JSON.parse(messages.join('')) as unknown, setCookie: response.headers['set-cookie'] }
  })
  const refused = once(socket, 'unexpected-response').then(async ([, response]) => {
    let body = ''
    for await (const chunk of response) body += String(chunk)
    socket.terminate()
    const { code } = JSON.parse(body) as { code?: string }
    return {
      status: response.statusCode, code, location: response.headers.location, setCookie: response.headers['set-cookie']
    }
  })
  return Promise.race([upgraded, refused])
}

const REFUSED = { status: 401, code: 'FST_LOGIN_UNAUTHORIZED', location: undefined, setCookie: undefined }

t.test('a guarded socket opens for users and answers 401 to strangers, never a redirect', async (t) => {
  const { app } = await chat()
  t.teardown(() => app.close())
  const { session } = await app.login.cookiesFor({ id: 'ann' })
  for (const path of ['/chat', '/late', '/fresh', '/always', '/verified']) {
    t.strictSame(
      await talk(app, path, { cookies: { session } }),
      { said: { user: 'ann', kind: 'fresh' }, setCookie: undefined },
      path
    )
    for (const headers of [{}, { accept: 'text/html', 'hx-request': 'true' }]) {
      t.strictSame(await talk(app, path, { headers }), REFUSED, path)
    }
  }
  t.strictSame(await talk(app, '/open'), { said: { user: null, kind: 'anonymous' }, setCookie: undefined })
  t.match(await talk(app, '/forbidden', { cookies: { session } }), { status: 403, code: 'FST_LOGIN_FORBIDDEN' })
  const { session: stale } = await app.login.cookiesFor({ id: 'ann' }, { fresh: false })
  t.match(await talk(app, '/fresh', { cookies: { session: stale } }), {
    status: 401, code: 'FST_LOGIN_FRESH_REQUIRED', location: undefined
  })
})

t.test('a guarded socket answers injectWS as it answers a browser', async (t) => {
  const { app } = await chat()
  await app.ready()
  t.teardown(() => app.close())
  const { session } = await app.login.cookiesFor({ id: 'bob' })
  const said: unknown[] = []
  const closed: Promise<unknown>[] = []
  await app.injectWS('/chat', { headers: { cookie: `session=${session}` } }, {
    onInit: (socket) => {
      socket.on('message', (data) => said.push(JSON.parse(String(data))))
      closed.push(once(socket, 'close'))
    }
  })
  await Promise.all(closed)
  // The streams of injectWS never end, and the server would wait for that.
  for (const client of app.websocketServer.clients) client.terminate()
  t.strictSame(said, [{ user: 'bob', kind: 'fresh' }])
  await t.rejects(app.injectWS('/chat'), { message: 'Unexpected server response: 401' })
  await t.rejects(app.injectWS('/chat', { headers: { cookie: 'session=garbage' } }), {
    message: 'Unexpected server response: 401'
  })
})

t.test('nothing is renewed on a socket, and what is due is renewed by the next request', async (t) => {
  const { app, clock } = await chat()
  t.teardown(() => app.close())
  app.get('/page', { preHandler: app.login.guard() }, async () => 'page')
  const cookies = await app.login.cookiesFor({ id: 'ann' })
  clock.advance(600)
  t.strictSame(await talk(app, '/chat', { cookies }), { said: { user: 'ann', kind: 'fresh' }, setCookie: undefined })
  t.strictSame(
    await talk(app, '/forbidden', { cookies }),
    { ...REFUSED, status: 403, code: 'FST_LOGIN_FORBIDDEN' },
    'also when it is refused'
  )
  t.strictSame(setCookies(await app.inject({ url: '/page', cookies })), ['session'])
})

t.test('a remember cookie is its user for that one connection, and stays as it is', async (t) => {
  const { app, clock } = await chat()
  t.teardown(() => app.close())
  app.get('/page', { preHandler: app.login.guard() }, async () => 'page')
  const told: unknown[] = []
  app.login.on('restore', ({ user, userId }) => told.push([user, userId]))
  const { _remember } = await app.login.cookiesFor({ id: 'ann' }, { remember: 7 })
  clock.advance(86_400)
  for (const path of ['/chat', '/verified', '/open']) {
    t.strictSame(
      await talk(app, path, { cookies: { _remember } }),
      { said: { user: 'ann', kind: 'stale' }, setCookie: undefined },
      path
    )
  }
  t.strictSame(told, [
    [{ id: 'ann', name: 'Ann' }, 'ann'], [{ id: 'ann', name: 'Ann' }, 'ann'], [{ id: 'ann', name: 'Ann' }, 'ann']
  ])
  t.strictSame(
    await talk(app, '/fresh', { cookies: { _remember } }),
    { ...REFUSED, code: 'FST_LOGIN_FRESH_REQUIRED' },
    'also when the socket is refused'
  )
  t.strictSame(
    setCookies(await app.inject({ url: '/page', cookies: { _remember: _remember! } })),
    ['_remember', 'session'],
    'a page restores'
  )
})

t.test('a page of another site cannot open a socket with our cookies', async (t) => {
  const { app } = await chat({ allowedOrigins: ['https://allowed.example'], publicOrigin: 'https://own.example' })
  t.teardown(() => app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const { session } = await app.login.cookiesFor({ id: 'ann' })
  const origins: [origin: string, passes: boolean][] = [
    [`http://127.0.0.1:${port}`, true],
    [`https://127.0.0.1:${port}`, true], // behind a proxy that ends TLS
    ['https://allowed.example', true],
    ['https://own.example', true],
    ['https://evil.example', false],
    ['http://127.0.0.1', false],
    [`http://127.0.0.1:${port + 1}`, false],
    [`http://127.0.0.1:${port}.evil.example`, false],
    [`http://evil.example/127.0.0.1:${port}`, false],
    ['http://allowed.example', false],
    ['https://allowed.example.evil.example', false],
    ['null', false],
    ['', false],
    ['garbage', false]
  ]
  for (const [origin, passes] of origins) {
    for (const path of ['/chat', '/late', '/fresh', '/verified']) {
      const expected = passes
        ? { said: { user: 'ann' } }
        : { status: 403, code: 'FST_LOGIN_CROSS_ORIGIN', setCookie: undefined }
      t.match(await talk(app, path, { cookies: { session }, headers: { origin } }), expected, `${origin} at ${path}`)
    }
  }
  t.match(
    await talk(app, '/chat', { headers: { origin: 'https://evil.example' } }),
    { status: 403 },
    'strangers neither'
  )
  t.match(await talk(app, '/chat', { cookies: { session } }), { said: { user: 'ann' } }, 'a program sends no Origin')
})

t.test('an ordinary request may come from anywhere, and a public socket too', async (t) => {
  const { app } = await chat()
  t.teardown(() => app.close())
  app.post('/page', { preHandler: app.login.guard() }, async () => 'page')
  app.get('/public', {
    websocket: true, onRequest: app.login.guard(), config: { login: { public: true } }
  }, (socket) => {
    socket.send('"hello"')
    socket.close()
  })
  const cookies = await app.login.cookiesFor({ id: 'ann' })
  const headers = { origin: 'https://evil.example' }
  t.match(await app.inject({ method: 'POST', url: '/page', cookies, headers }), { statusCode: 200 })
  t.match(await talk(app, '/public', { headers }), { said: 'hello' })
})

t.test('behind a proxy the origin is that of the outside', async (t) => {
  const app = await build({}, { trustProxy: true })
  app.get('/', { preHandler: app.login.guard() }, async () => 'passed')
  const cookies = await app.login.cookiesFor({ id: 'ann' })
  const from = async (origin: string) => {
    const headers = {
      upgrade: 'websocket', host: 'inside:3000', 'x-forwarded-host': 'own.example', 'x-forwarded-proto': 'https', origin
    }
    return (await app.inject({ url: '/', cookies, headers })).statusCode
  }
  t.strictSame([await from('https://own.example'), await from('http://inside:3000')], [200, 403])
})

t.test('a guard that cannot tell refuses the socket', async (t) => {
  for (const userLoader of [() => { throw new Error('down') }, async () => { throw new Error('down') }]) {
    const { app } = await chat({ userLoader })
    const { session } = await app.login.cookiesFor({ id: 'ann' })
    t.match(await talk(app, '/chat', { cookies: { session } }), { status: 500, setCookie: undefined })
    await app.close()
  }
})

t.test('after reply.hijack() or a raw end nothing is renewed or set, and the user is known all the same', async (t) => {
  const clock = new Clock()
  const app = await build({ clock: clock.read, session: { idleSeconds: 1000 } })
  app.get('/hijacked', { preHandler: app.login.guard() }, (request, reply) => {
    reply.hijack()
    reply.raw.end(JSON.stringify(request.currentUser))
  })
  app.get('/raw', { preHandler: app.login.guard() }, (request, reply) => {
    reply.raw.end(JSON.stringify(request.currentUser))
  })
  app.get('/hijacked-first', async (request, reply) => {
    reply.hijack()
    reply.raw.end(JSON.stringify(await request.getCurrentUser()))
  })
  const { session, _remember } = await app.login.cookiesFor({ id: 'ann' }, { remember: true })
  clock.advance(600)
  for (const url of ['/hijacked', '/raw', '/hijacked-first']) {
    for (const cookies of [{ session: session! }, { _remember: _remember! }]) {
      const response = await app.inject({ url, cookies })
      t.strictSame(
        [response.json(), setCookies(response), response.headers['cache-control']],
        [{ id: 'ann', name: 'Ann' }, [], undefined],
        url
      )
    }
  }
})

t.test('signing in, out or again after the headers are gone is an error, and changes nothing', async (t) => {
  const { byId, userLoader } = people()
  const app = await build({ userLoader })
  const told: string[] = []
  for (const event of ['login', 'logout', 'confirm'] as const) app.login.on(event, () => told.push(event))
  const ways: [name: string, go: (reply: FastifyReply) => unknown][] = [
    ['hijacked', (reply) => reply.hijack()],
    ['hijacked, head written', (reply) => reply.hijack().raw.writeHead(200)],
    ['head written', (reply) => reply.raw.writeHead(200)],
    ['raw end', (reply) => reply.raw.end('[]')]
  ]
  const calls: [name: string, call: (reply: FastifyReply) => Promise<unknown>][] = [
    ['loginUser()', (reply) => reply.loginUser(byId.get('bob') as object, { remember: true })],
    ['loginUser()', (reply) => reply.loginUser(byId.get('bob') as object, { redirectUrl: false })],
    ['logoutUser()', (reply) => reply.logoutUser()],
    ['confirmLogin()', (reply) => reply.confirmLogin()]
  ]
  const outcomes: unknown[] = []
  app.get('/:way/:call', { preHandler: app.login.guard() }, async (request, reply) => {
    const { way, call } = request.params as { way: number, call: number }
    ways[way]![1](reply)
    const error = await calls[call]![1](reply).then(() => null, (error: { code: string, message: string }) => error)
    outcomes.push([
      error?.code, error?.message.startsWith(`${calls[call]![0]} came after`), request.currentUser,
      request.loginState.kind
    ])
    if (!reply.raw.writableEnded) reply.raw.end('[]')
  })
  const cookies = await app.login.cookiesFor({ id: 'ann' })
  for (const [way, [wayName]] of ways.entries()) {
    for (const [call, [callName]] of calls.entries()) {
      const response = await app.inject({ url: `/${way}/${call}`, cookies })
      t.strictSame(
        outcomes.pop(),
        ['FST_LOGIN_HEADERS_SENT', true, { id: 'ann', name: 'Ann' }, 'fresh'],
        `${callName}, ${wayName}`
      )
      t.strictSame(setCookies(response), [])
    }
  }
  t.strictSame(told, [])
})
