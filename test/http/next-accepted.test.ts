import fc from 'fast-check'
import formbody from '@fastify/formbody'
import t from 'tap'
import type { FastifyLoginOptions } from '../../src/index.js'
import { ACCEPTED, NOT_STRINGS, OTHER_HOSTS, PARTS, REFUSED, settings } from '../hostile/next.js'
import { build } from '../support/app.js'
import { Browser } from '../support/browser.js'
import { START } from '../support/clock.js'
import { site } from '../support/site.js'
import { forge } from '../support/tokens.js'

/** A value for the name of a test; TAP is read line by line. */
function shown (value: unknown): string {
  return encodeURI(String(JSON.stringify(value))).slice(0, 60)
}

const HOME = '/home?default'

async function loginApp (options: FastifyLoginOptions = {}) {
  const app = await build({ ...settings, ...options })
  await app.register(formbody)
  app.post('/sign-in', async (request, reply) => {
    return reply.loginUser({ id: 'ann' }, {
      next: (request.body as { next?: unknown } | null)?.next, redirectUrl: HOME
    })
  })
  return app
}

t.test('safeNext gives back what stays on this site or an allowed one, serialised for Location', async (t) => {
  const { login } = await build(settings)
  for (const [value, expected] of Object.entries(ACCEPTED)) {
    t.equal(login.safeNext(value), expected, shown(value))
    t.equal(login.safeNext(expected), expected, 'and that again as it is')
  }
  t.equal(login.safeNext('/lone\ud800'), '/lone%EF%BF%BD')
})

t.test('safeNext refuses what leads elsewhere, and what is no string', async (t) => {
  const { login } = await build(settings)
  for (const value of REFUSED) t.equal(login.safeNext(value), null, shown(value))
  for (const value of NOT_STRINGS) {
    t.equal(login.safeNext(value), null, `${typeof value} ${Object.prototype.toString.call(value)}`)
  }
})

t.test('without publicOrigin and allowedOrigins only paths are accepted, whatever the Host header says', async (t) => {
  const app = await build()
  app.post('/login', async (_request, reply) => reply.loginUser({ id: 'ann' }, { redirectUrl: HOME }))
  const hosts: [host: string, next: string][] = [
    ['localhost', 'http://localhost/x'],
    ['evil.example', 'http://evil.example/x'],
    ['evil.example', '//evil.example/x']
  ]
  for (const [host, next] of hosts) {
    const response = await app.inject({
      method: 'POST', url: `/login?next=${encodeURIComponent(next)}`, headers: { host }
    })
    t.match(response, { statusCode: 302, headers: { location: HOME } }, next)
  }
  t.equal(app.login.safeNext('/login?x'), null)
  t.equal(app.login.safeNext('https://allowed.example'), null)
})

t.test('the login page of another site is no page of ours', async (t) => {
  const { login } = await build({
    loginUrl: 'https://accounts.example/login', refreshUrl: null, allowedOrigins: ['https://accounts.example']
  })
  t.equal(login.safeNext('/login'), '/login')
  t.equal(login.safeNext('https://accounts.example/login'), 'https://accounts.example/login')
  const { login: own } = await build({
    loginUrl: 'https://own.example/login', publicOrigin: 'https://own.example/any/path'
  })
  t.equal(own.safeNext('/login'), null)
  t.equal(own.safeNext('/other'), '/other')
})

t.test('from whatever parts an attack is put together, the browser stays here or goes where it may', async (t) => {
  const { login } = await build(settings)
  const value = fc.array(fc.constantFrom(...PARTS), { maxLength: 9 }).map((chosen) => chosen.join(''))
  const mayGo = ['https://victim.example', 'https://allowed.example', 'https://own.example', 'http://[::1]:8080']
  const values = fc.oneof(value, value.map((tail) => `/${tail}`), fc.string({ unit: 'binary' }))
  t.doesNotThrow(() => fc.assert(fc.property(values, (given) => {
    const target = login.safeNext(given)
    if (target === null) return
    const url = new URL(target, 'https://victim.example/sign-in')
    if (!mayGo.includes(url.origin)) throw new Error(`leads to ${url.origin}`)
    if (!/^[\x21-\x7e]+$/.test(target)) throw new Error('not fit for Location')
    if (['/sign-in', '/confirm'].includes(url.pathname) && url.origin !== 'https://allowed.example') {
      throw new Error('leads back to the login page')
    }
    if (login.safeNext(target) !== target) throw new Error('not stable')
  }), { numRuns: 20_000, seed: 7 }))
})

t.test('a login follows the next of its query where safeNext would, else its redirectUrl', async (t) => {
  const app = await loginApp()
  const expected = { ...ACCEPTED, ...Object.fromEntries(REFUSED.map((value) => [value, HOME])) }
  for (const [value, location] of Object.entries(expected)) {
    const query = new URLSearchParams({ back: value }).toString()
    const response = await app.inject({ method: 'POST', url: `/sign-in?${query}` })
    t.match(response, { statusCode: 302, headers: { location } }, shown(value))
  }
  const odd = [
    'back=/a&back=/b', 'back=/a&back=/a', 'back=//evil.example&back=/a', 'back=/a&x=1&back=//evil.example',
    'back', 'back=', 'back=%', 'back=%00', 'back[]=/a&back[x]=/a'
  ]
  for (const query of odd) {
    const response = await app.inject({ method: 'POST', url: `/sign-in?${query}` })
    t.match(response, { statusCode: 302, headers: { location: HOME } }, query)
  }
})

t.test('a login follows the next of a form or JSON body where safeNext would, else its redirectUrl', async (t) => {
  const app = await loginApp()
  const expected = { ...ACCEPTED, ...Object.fromEntries(REFUSED.map((value) => [value, HOME])) }
  for (const [next, location] of Object.entries(expected)) {
    const name = shown(next)
    t.match(
      await app.inject({ method: 'POST', url: '/sign-in?back=/query', payload: { next } }),
      { statusCode: 302, headers: { location } },
      name
    )
    const form = {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: new URLSearchParams({ next }).toString()
    }
    t.match(
      await app.inject({ method: 'POST', url: '/sign-in?back=/query', ...form }),
      { statusCode: 302, headers: { location } },
      `${name} as form`
    )
  }
  for (const next of [
    0, 1, false, true, [], ['/x'], [['/x']], {}, { href: '/x' }, { toString: '/x' }, { length: 2, 0: '/' }
  ]) {
    const response = await app.inject({ method: 'POST', url: '/sign-in?back=/query', payload: { next } })
    t.match(response, { statusCode: 302, headers: { location: HOME } }, JSON.stringify(next))
  }
})

t.test('a login does not follow a next in the session that was safe once and is no longer', async (t) => {
  const app = await loginApp({ nextIn: 'session' })
  const now = START / 1000
  const claims = { ck: 'session', iat: now, exp: now + 1e9, born: now }
  for (const value of [...REFUSED, ['/x'], 7, { href: '/x' }]) {
    const response = await app.inject({
      method: 'POST', url: '/sign-in', cookies: { session: forge({ ...claims, next: value }) }
    })
    t.match(response, { statusCode: 302, headers: { location: HOME } }, shown(value))
  }
})

t.test('next is that of body, query, session or redirectUrl, in this order; one refused hides the rest', async (t) => {
  const app = await loginApp({ nextIn: 'session' })
  app.get('/wanted', { preHandler: app.login.guard() }, async () => 'wanted')
  const table: [body: unknown, query: string, location: string][] = [
    ['/body', '?back=/query', '/body'],
    [undefined, '?back=/query', '/query'],
    [null, '?back=/query', '/query'],
    [undefined, '', '/wanted?page=2'],
    ['//evil.example', '?back=/query', HOME],
    ['', '?back=/query', HOME],
    [['/body'], '?back=/query', HOME],
    [undefined, '?back=//evil.example', HOME],
    [undefined, '?back=', HOME],
    [undefined, '?back=/a&back=/b', HOME]
  ]
  for (const [next, query, location] of table) {
    const { cookies: [session] } = await app.inject('/wanted?page=2')
    const request = {
      method: 'POST', url: `/sign-in${query}`, payload: { next }, cookies: { session: session!.value }
    } as const
    t.match(await app.inject(request), { statusCode: 302, headers: { location } }, `${JSON.stringify(next)} ${query}`)
  }
})

// microdot M2: any target that begins with one slash passes.
t.test('no target that a browser reads as another host is followed after login, wherever it comes from', async (t) => {
  const { app, user } = await site()
  app.post<{ Body: { next?: string } | null }>('/login', async (request, reply) =>
    reply.loginUser(user('ann'), { next: request.body?.next, redirectUrl: '/home' }))
  for (const target of OTHER_HOSTS) {
    const browser = new Browser(app)
    const asked = await browser.post(`/login?next=${encodeURIComponent(target)}`)
    t.match(asked, { statusCode: 302, headers: { location: '/home' } }, JSON.stringify(target))
    t.match(await browser.post('/login', { next: target }), { headers: { location: '/home' } }, JSON.stringify(target))
  }
})
