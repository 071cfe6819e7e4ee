import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance, FastifyServerOptions, InjectOptions } from 'fastify'
import t from 'tap'
import type { FastifyLoginOptions, GuardFreshOptions } from '../../src/index.js'
import { REQUEST_TARGETS } from '../hostile/next.js'
import { build } from '../support/app.js'
import { Browser, setCookies } from '../support/browser.js'
import { site } from '../support/site.js'
import { claimsOf } from '../support/tokens.js'

/** Everything is guarded, for every method. */
async function guarded (
  options: FastifyLoginOptions = {}, server: FastifyServerOptions = {}
): Promise<FastifyInstance> {
  const app = await build(options, server)
  app.addHook('onRequest', app.login.guard())
  app.all('/*', async () => 'passed')
  return app
}

async function sent (
  app: FastifyInstance, request: InjectOptions | string
): Promise<{ page: string, next: string | null }> {
  const response = await app.inject(request)
  const location = String(response.headers.location)
  const [page, query] = location.split('?')
  return { page: page!, next: new URLSearchParams(query).get('next') }
}

/** What the server answers to bytes no client library would send. */
async function sendBytes (app: FastifyInstance, target: string): Promise<string> {
  const { port } = app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  socket.end(`GET ${target} HTTP/1.1\r\nHost: own.example\r\nConnection: close\r\n\r\n`)
  let answer = ''
  for await (const chunk of socket) answer += String(chunk)
  return answer
}

t.test('GET and HEAD send the URL that was asked for as next', async (t) => {
  const app = await guarded()
  const urls = [
    '/', '/dashboard?tab=2', '/a+b?q=a+b&r=a%2Bb', '/two%20words', '/%C3%BC?%C3%9F', '/?next=/x', '/a//b', '/%25',
    '/%5Cevil.example', '/%2F%2Fevil.example'
  ]
  for (const url of urls) {
    for (const method of ['GET', 'HEAD'] as const) {
      t.strictSame(
        await sent(app, { method, url, headers: { referer: 'http://localhost/form' } }),
        { page: '/login', next: url },
        `${method} ${url}`
      )
    }
  }
})

t.test('the URL that was asked for comes back through the login as it went', async (t) => {
  const app = await guarded()
  app.post('/login', async (_request, reply) => reply.loginUser({ id: 'ann' }))
  for (const url of ['/a+b?q=a+b', '/a%2Bb?q=a%2Bb', '/x?q=1%262&r=%23', '/%E6%97%A5?a=%C3%BC', '/%3Cb%3E?%22']) {
    const { headers } = await app.inject(url)
    t.match(
      await app.inject({ method: 'POST', url: String(headers.location) }),
      { statusCode: 302, headers: { location: url } },
      encodeURI(url)
    )
  }
})

t.test('next is the URL before rewriteUrl', async (t) => {
  const app = await guarded({}, { rewriteUrl: (request) => request.url!.replace('/outside', '/inside') })
  t.strictSame(await sent(app, '/outside/page?x=1'), { page: '/login', next: '/outside/page?x=1' })
})

t.test('other methods than GET and HEAD send the page they came from, or their URL if it is not ours', async (t) => {
  const app = await guarded()
  const referers: [referer: string | undefined, next: string | null][] = [
    ['http://localhost/form?step=2#part', '/form?step=2'],
    ['http://localhost:80/form', '/form'],
    ['HTTP://LOCALHOST/form', '/form'],
    ['http://ann:word@localhost/form', '/form'],
    ['http://localhost', '/'],
    ['http://localhost/ü', '/%C3%BC'],
    [undefined, '/target?x=1'],
    ['', '/target?x=1'],
    ['garbage', '/target?x=1'],
    ['/form', '/target?x=1'],
    ['http://', '/target?x=1'],
    ['about:blank', '/target?x=1'],
    ['https://localhost/form', '/target?x=1'],
    ['http://localhost:8080/form', '/target?x=1'],
    ['http://localhost.evil.example/form', '/target?x=1'],
    ['http://evil.example/http://localhost/form', '/target?x=1'],
    ['http://localhost//evil.example/form', null],
    ['http://localhost/.//evil.example', null],
    ['http://localhost/login?next=/x', null],
    [`http://localhost/${'a'.repeat(2048)}`, null],
    [`http://localhost/${'"'.repeat(700)}`, null]
  ]
  for (const [referer, next] of referers) {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'] as const) {
      const request = { method, url: '/target?x=1', headers: referer === undefined ? {} : { referer } }
      t.strictSame(await sent(app, request), { page: '/login', next }, `${method} from ${referer?.slice(0, 40)}`)
    }
  }
})

t.test('which Referer is ours, publicOrigin says where it is given, and the proxy where it is trusted', async (t) => {
  const behindProxy = await guarded({}, { trustProxy: true })
  const headers = {
    host: 'inside', 'x-forwarded-host': 'own.example', 'x-forwarded-proto': 'https', referer: 'https://own.example/form'
  }
  t.strictSame(await sent(behindProxy, { method: 'POST', url: '/target', headers }), { page: '/login', next: '/form' })
  t.strictSame(await sent(await guarded(), { method: 'POST', url: '/target', headers }), {
    page: '/login', next: '/target'
  })
  const outside = await guarded({ publicOrigin: 'https://own.example' })
  t.strictSame(await sent(outside, { method: 'POST', url: '/target', headers }), { page: '/login', next: '/form' })
  const inside = { ...headers, referer: 'http://inside/form' }
  t.strictSame(await sent(outside, { method: 'POST', url: '/target', headers: inside }), {
    page: '/login', next: '/target'
  })
})

t.test('a method that changes something is answered so that the browser goes on with GET', async (t) => {
  const app = await guarded()
  const statuses = { GET: 302, HEAD: 302, POST: 302, PUT: 303, PATCH: 303, DELETE: 303 }
  for (const [method, statusCode] of Object.entries(statuses)) {
    t.match(await app.inject({ method: method as 'GET', url: '/x' }), { statusCode }, method)
  }
})

t.test('next is left out when too long', async (t) => {
  const app = await guarded()
  const longest = '/'.padEnd(2048, 'a')
  t.strictSame(await sent(app, longest), { page: '/login', next: longest })
  t.strictSame(await sent(app, longest + 'a'), { page: '/login', next: null })
  t.strictSame(await sent(app, '/?q=' + 'a'.repeat(20_000)), { page: '/login', next: null })
})

t.test('next is left out when it would lead away, or is no path at all', async (t) => {
  const app = await guarded({ allowedOrigins: ['https://allowed.example'] })
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  for (const [target, location] of REQUEST_TARGETS) {
    const answer = await sendBytes(app, target)
    t.match(answer, /^HTTP\/1\.1 302 /, target.slice(0, 40))
    t.equal(/^location: (.*)\r$/im.exec(answer)?.[1], location)
  }
})

t.test('next is left out when it is the refresh page', async (t) => {
  const app = await build({ refreshUrl: '/confirm' })
  app.get('/confirm', { preHandler: app.login.guard() }, async () => 'confirm')
  t.strictSame(await sent(app, '/confirm?x=1'), { page: '/login', next: null })
})

t.test('next stands beside a query and a hash of the login page', async (t) => {
  const locations: [options: FastifyLoginOptions, location: string][] = [
    [{ loginUrl: '/login?theme=dark' }, '/login?theme=dark&next=%2Fx%3Fy%3D1'],
    [{ loginUrl: '/login?a=1&next=%2Felsewhere&b=2' }, '/login?a=1&b=2&next=%2Fx%3Fy%3D1'],
    [{ loginUrl: '/app#/login' }, '/app?next=%2Fx%3Fy%3D1#/login'],
    [{ loginUrl: '/app?a=b#top', nextParam: 'zurück zu' }, '/app?a=b&zur%C3%BCck%20zu=%2Fx%3Fy%3D1#top'],
    [{ loginUrl: '/anmelden/für alle' }, '/anmelden/f%C3%BCr%20alle?next=%2Fx%3Fy%3D1'],
    [{ loginUrl: '/anmelden/für alle', nextIn: 'session' }, '/anmelden/f%C3%BCr%20alle'],
    [{ loginUrl: '/login?theme=dark#form', nextIn: 'session' }, '/login?theme=dark#form']
  ]
  for (const [options, location] of locations) {
    t.match(await (await guarded(options)).inject('/x?y=1'), { statusCode: 302, headers: { location } }, location)
  }
})

t.test('an absolute login page gets an absolute next', async (t) => {
  const loginUrl = 'https://accounts.example/login?app=7'
  const next = async (
    options: FastifyLoginOptions, headers: Record<string, string>, server: FastifyServerOptions = {}
  ) => {
    const { page, next } = await sent(await guarded({ loginUrl, ...options }, server), { url: '/x?y=1', headers })
    t.equal(page, 'https://accounts.example/login')
    return next
  }
  t.equal(await next({}, { host: 'own.example:8080' }), 'http://own.example:8080/x?y=1')
  t.equal(await next({}, {}), 'http://localhost/x?y=1')
  t.equal(await next({ publicOrigin: 'https://own.example' }, { host: 'evil.example' }), 'https://own.example/x?y=1')
  const forwarded = { host: 'inside', 'x-forwarded-host': 'own.example', 'x-forwarded-proto': 'https' }
  t.equal(await next({}, forwarded, { trustProxy: true }), 'https://own.example/x?y=1')
  t.equal(await next({}, { host: 'no host' }), 'http://no host/x?y=1', 'a Host that is none stays text in the query')
  const app = await guarded({ loginUrl })
  t.match(await app.inject('/login'), { statusCode: 302 }, 'a path of ours that looks like that page is guarded')
})

t.test('loginUrlFor gives a page of the application the URL a guard would send people to', async (t) => {
  const app = await build({ loginUrl: '/sign-in?a=1#form', nextParam: 'back' })
  const without = await build({ loginUrl: null })
  for (const each of [app, without]) each.all('/page', async (request) => ({ url: each.login.loginUrlFor(request) }))
  t.strictSame((await app.inject('/page?q=a+b')).json(), { url: '/sign-in?a=1&back=%2Fpage%3Fq%3Da%2Bb#form' })
  const post = { method: 'POST', url: '/page', headers: { referer: 'http://localhost/form' } } as const
  t.strictSame((await app.inject(post)).json(), { url: '/sign-in?a=1&back=%2Fform#form' })
  t.strictSame((await app.inject('/page?' + 'q'.repeat(2048))).json(), { url: '/sign-in?a=1#form' })
  t.strictSame((await without.inject('/page')).json(), { url: null })
})

t.test('each guard may have a login page and a refresh page of its own', async (t) => {
  const app = await build({ loginUrl: '/login', refreshUrl: '/confirm' })
  const stale = await app.login.cookiesFor({ id: 'ann' }, { fresh: false })
  const guards: [options: GuardFreshOptions, anonymous: string | undefined, stale: string | undefined][] = [
    [{}, '/login', '/confirm'],
    [{ refreshUrl: '/prove' }, '/login', '/prove'],
    [{ loginUrl: '/staff/login', refreshUrl: '/staff/prove?it=1' }, '/staff/login', '/staff/prove'],
    [
      { loginUrl: 'https://in.example/a', refreshUrl: 'https://in.example/b' },
      'https://in.example/a', 'https://in.example/b'
    ],
    [{ loginUrl: null, refreshUrl: '/prove' }, undefined, '/prove'],
    [{ refreshUrl: null }, '/login', undefined],
    [{ loginUrl: undefined, refreshUrl: undefined }, '/login', '/confirm']
  ]
  for (const [index, [options]] of guards.entries()) {
    app.get(`/${index}`, { preHandler: app.login.guardFresh(options) }, async () => 'passed')
  }
  for (const [index, [options, login, refresh]] of guards.entries()) {
    for (const [cookies, page] of [[{}, login], [stale, refresh]] as const) {
      const { statusCode, headers } = await app.inject({ url: `/${index}`, cookies })
      t.strictSame(
        [statusCode, headers.location?.split('?')[0]],
        page === undefined ? [401, undefined] : [302, page],
        JSON.stringify(options)
      )
    }
  }
  const plain = await build({ loginUrl: '/sign-in' })
  plain.get('/', { preHandler: plain.login.guardFresh() }, async () => 'passed')
  const cookies = await plain.login.cookiesFor({ id: 'ann' }, { fresh: false })
  t.match(
    await plain.inject({ url: '/', cookies }),
    { headers: { location: '/sign-in?next=%2F' } },
    'refreshUrl defaults to loginUrl'
  )
})

t.test('nextIn "session" keeps next out of the URL, and it is used once', async (t) => {
  const app = await guarded({ nextIn: 'session' })
  app.post('/login', async (_request, reply) => reply.loginUser({ id: 'ann' }, { redirectUrl: '/home' }))
  app.post('/logout', { config: { login: { public: true } } }, async (_request, reply) => reply.logoutUser())
  const browser = new Browser(app)
  t.match(await browser.get('/first'), { statusCode: 302, headers: { location: '/login' } })
  t.match(await browser.get('/second?q=a+b'), { statusCode: 302, headers: { location: '/login' } })
  t.match(claimsOf(browser.cookie('session')), { next: '/second?q=a+b' })
  t.match(await browser.post('/login'), { headers: { location: '/second?q=a+b' } })
  t.notOk('next' in claimsOf(browser.cookie('session')))
  t.match(await browser.post('/login'), { headers: { location: '/home' } })

  await browser.post('/logout')
  await browser.get('/third')
  await browser.get('//evil.example/')
  t.match(
    await browser.post('/login'),
    { headers: { location: '/home' } },
    'a later request without a way back takes the earlier one away'
  )
})

t.test('nextIn "session" writes nothing where people are not sent to the login page', async (t) => {
  const app = await guarded({ nextIn: 'session' })
  t.strictSame(setCookies(await app.inject({ url: '/x', headers: { accept: 'application/json' } })), [])
  t.strictSame(setCookies(await app.inject({ url: '//evil.example' })), [])
  t.strictSame(setCookies(await app.inject({ url: '/x' })), ['session'])
})

t.test('nextIn "session" never costs the session what it holds: what does not fit is left out', async (t) => {
  const app = await guarded({ nextIn: 'session' })
  app.get('/fill', { config: { login: { public: true } } }, async (request) => {
    Object.assign(request.session, { cart: 'x'.repeat(1700) })
    return 'filled'
  })
  const browser = new Browser(app)
  await browser.get('/fill')
  const kept = browser.cookie('session')
  t.match(await browser.get('/x?' + 'q'.repeat(1500)), { statusCode: 302, headers: { location: '/login' } })
  t.equal(browser.cookie('session'), kept)
  t.match(await browser.get('/x?short'), { statusCode: 302, headers: { location: '/login' } })
  t.match(claimsOf(browser.cookie('session')), { next: '/x?short', data: { cart: /^x{1700}$/ } })
})

// Flask-Login F19, F21: the way back in the session survives login and logout.
t.test('the way back kept in the session is gone after logout, and after it was used', async (t) => {
  const { user, visitor } = await site({
    nextIn: 'session', session: { keepOnLogout: ['theme'], keepOnLogin: ['theme'] }
  })
  const browser = visitor()
  await browser.get('/members?page=7')
  t.equal(claimsOf(browser.cookie('session')).next, '/members?page=7')
  await browser.signOut()
  t.match(await browser.signIn(user('ann')), { headers: { location: '/' } })
  t.equal(claimsOf(browser.cookie('session')).next, undefined)
})

// microdot M3: the guard itself makes such a target.
t.test('a guarded catch-all route asked for as //host sends no way back to that host', async (t) => {
  const { app } = await site()
  app.get('/*', { preHandler: app.login.guard() }, async () => 'page')
  for (const path of ['//evil.example/x', '///evil.example', '/\\evil.example']) {
    const { statusCode, headers } = await app.inject({ url: 'http://localhost' + path })
    t.match([statusCode, headers.location], [302, '/login'], path)
  }
  t.equal((await app.inject('/x')).headers.location, '/login?next=%2Fx')
})

// microdot M25, M26: encodes a plus twice, and puts a second question mark into a login page's URL.
t.test('the way back comes out as it went in: plus signs, percent signs and all', async (t) => {
  const { app, user } = await site({ loginUrl: '/login?lang=de' })
  app.get('/search', { preHandler: app.login.guard() }, async () => 'found')
  app.post('/login', async (_request, reply) => reply.loginUser(user('ann')))
  for (const url of [
    '/search?q=a+b', '/search?q=a%2Bb', '/search?q=100%25%20sure&q=a%26b', '/search?q=%2525+%E4%BD%A0'
  ]) {
    const browser = new Browser(app)
    const { location } = (await browser.get(url)).headers
    t.ok(location?.startsWith('/login?lang=de&next=%2Fsearch') && location.split('?').length === 2, url)
    t.equal((await browser.post(location!)).headers.location, url)
  }
})
