import { createRequire } from 'node:module'
import type { FastifyInstance, FastifyPluginCallback } from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import type { FastifyLoginOptions } from '../../src/index.js'
import { build } from '../support/app.js'
import { Browser, setCookies } from '../support/browser.js'

// Loaded without its types, which name another session plugin's.
const flash = createRequire(import.meta.url)('@fastify/flash') as FastifyPluginCallback
type Flashing = { flash (type?: string): unknown }
type Asking = { fresh?: false, headers?: Record<string, string> }

async function flashing (options: FastifyLoginOptions): Promise<FastifyInstance> {
  const app = await build({ refreshUrl: '/confirm', ...options })
  await app.register(flash)
  app.get('/members', { onRequest: app.login.guard() }, async () => 'passed')
  app.get('/settings', { onRequest: app.login.guardFresh() }, async () => 'passed')
  const messages = async (_request: unknown, reply: unknown) => ({ messages: (reply as Flashing).flash() })
  app.get('/login', messages)
  app.get('/confirm', messages)
  return app
}

/** What the page people are sent to has to say. */
async function told (
  t: Test, app: FastifyInstance, url: string, { fresh, headers = {} }: Asking = {}
): Promise<unknown> {
  const browser = new Browser(app)
  const cookies = fresh === undefined ? {} : await app.login.cookiesFor({ id: 'ann' }, { fresh })
  browser.keep(cookies)
  await browser.get(url, headers)
  const { messages } = (await browser.get(fresh === undefined ? '/login' : '/confirm')).json() as { messages: unknown }
  t.strictSame((await browser.get('/login')).json(), { messages: {} }, 'once')
  return messages
}

t.test('the login page and the refresh page say why people are there, once', async (t) => {
  const app = await flashing({
    loginMessage: 'Log in first',
    refreshMessage: (request) => `Prove it for ${request.url}, ${request.requireUser<{ name: string }>().name}`
  })
  t.strictSame(await told(t, app, '/members'), { message: ['Log in first'] })
  t.strictSame(await told(t, app, '/settings'), { message: ['Log in first'] })
  t.strictSame(await told(t, app, '/settings', { fresh: false }), { message: ['Prove it for /settings, Ann'] })
  t.strictSame(await told(t, app, '/members', { fresh: false }), {}, 'whoever passes is told nothing')
  t.strictSame(
    await told(t, app, '/members', { headers: { 'hx-request': 'true' } }),
    { message: ['Log in first'] },
    'htmx goes there too'
  )
})

t.test('the message for strangers may be made per request, that for those not fresh be a fixed text', async (t) => {
  const app = await flashing({ loginMessage: (request) => `No ${request.url}`, refreshMessage: 'Prove it' })
  t.strictSame(await told(t, app, '/members?x=1'), { message: ['No /members?x=1'] })
  t.strictSame(await told(t, app, '/settings', { fresh: false }), { message: ['Prove it'] })
})

t.test('nothing is flashed by default, with a 401, or by an own handler', async (t) => {
  t.strictSame(await told(t, await flashing({}), '/members'), {})
  const texts = { loginMessage: 'Log in first', refreshMessage: 'Prove it' }
  const app = await flashing(texts)
  t.strictSame(await told(t, app, '/members', { headers: { accept: 'application/json' } }), {})
  t.strictSame(setCookies(await app.inject({ url: '/members', headers: { accept: 'application/json' } })), [])
  t.strictSame(await told(t, await flashing({ ...texts, loginMessage: false }), '/members'), {})
  t.strictSame(await told(t, await flashing({ ...texts, unauthorizedHandler: () => 'own' }), '/members'), {})
})

t.test('the message is shown once where the session holds a way back too, and the way back stays', async (t) => {
  const app = await flashing({ nextIn: 'session', loginMessage: 'Log in first' })
  app.post('/login', async (_request, reply) => reply.loginUser({ id: 'ann' }))
  const browser = new Browser(app)
  await browser.get('/members?page=2')
  t.strictSame((await browser.get('/login')).json(), { messages: { message: ['Log in first'] } })
  t.match(await browser.post('/login'), { headers: { location: '/members?page=2' } })
})

t.test('without @fastify/flash people are sent to the login page all the same', async (t) => {
  let asked = 0
  const app = await build({ loginMessage: () => `${asked++}`, refreshMessage: 'Prove it' })
  app.get('/settings', { preHandler: app.login.guardFresh() }, async () => 'passed')
  t.match(await app.inject('/settings'), { statusCode: 302, headers: { location: '/login?next=%2Fsettings' } })
  t.match(
    await app.inject({ url: '/settings', cookies: await app.login.cookiesFor({ id: 'ann' }, { fresh: false }) }),
    { statusCode: 302 }
  )
})

t.test('a message function that fails is an error, and nobody passes', async (t) => {
  const noWords = () => { throw new Error('no words') }
  for (const userLoader of [(id: string | number) => ({ id }), async (id: string | number) => ({ id })]) {
    const app = await flashing({ userLoader, loginMessage: noWords, refreshMessage: noWords })
    const cookies = await app.login.cookiesFor({ id: 'ann' }, { fresh: false })
    t.match(await app.inject('/members'), { statusCode: 500, body: /no words/, headers: { location: undefined } })
    t.match(await app.inject({ url: '/settings', cookies }), {
      statusCode: 500, body: /no words/, headers: { location: undefined }
    })
  }
})

t.test('who never gets to the login page does not fill the session with one message', async (t) => {
  const app = await flashing({ loginMessage: 'Please sign in to see the page you asked for, thank you.' })
  const browser = new Browser(app)
  for (let i = 0; i < 60; i++) t.equal((await browser.get('/members')).statusCode, 302)
  t.ok(browser.cookie('session')!.length < 500)
})
