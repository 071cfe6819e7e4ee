import csrf from '@fastify/csrf-protection'
import flash from '@fastify/flash'
import { Authenticator, Strategy } from '@fastify/passport'
import foreignSession from '@fastify/session'
import Fastify from 'fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import t from 'tap'
import fastifyLogin from '../../src/index.js'
import { build, buildSession } from '../support/app.js'
import { Browser, onePage, setCookies } from '../support/browser.js'
import { captureLog } from '../support/log.js'
import { claimsOf, OTHER_SECRET, SECRET } from '../support/tokens.js'
import { people } from '../support/users.js'

t.test('@fastify/flash: looking for messages gives an anonymous visitor no cookie', async (t) => {
  const app = await buildSession()
  await app.register(flash)
  const { visit } = onePage(app)
  for (let time = 0; time < 2; time++) {
    const response = await visit((_session, _request, reply) => [reply.flash(), reply.flash('notice' as never)])
    t.same([response.statusCode, setCookies(response)], [200, []])
  }
})

t.test('@fastify/flash: a message is shown once, and the values beside it stay', async (t) => {
  const app = await buildSession()
  await app.register(flash)
  const { visit, browser } = onePage(app)
  const read = async () => (await visit((_session, _request, reply) => reply.flash())).json() as unknown

  await visit((_session, request) => { request.flash('notice', ['saved', 'twice']) })
  t.same(await read(), { notice: ['saved', 'twice'] })
  t.equal(browser.cookie('session'), undefined, 'nothing is left')

  await visit((session, request) => {
    session.set('cart', 1)
    request.flash('notice', 'saved')
  })
  await read()
  t.same(claimsOf(browser.cookie('session')).data, { cart: 1 })
})

t.test('a value of the application named flash is kept', async (t) => {
  const { visit } = onePage(await buildSession())
  for (const value of ['gordon', 0, null, ['x'], { a: 1 }]) {
    await visit((session) => session.set('flash', value))
    t.same((await visit((session) => [session.get('flash')])).json(), [value])
  }
})

for (const sessionPlugin of ['@fastify/secure-session', '@fastify/session'] as const) {
  t.test(`@fastify/csrf-protection with sessionPlugin ${sessionPlugin} protects a form`, async (t) => {
    const app = await buildSession()
    await app.register(csrf, { sessionPlugin } as never)
    app.get('/form', async (_request, reply) => reply.generateCsrf())
    app.post('/form', { onRequest: app.csrfProtection }, async () => 'accepted')
    const [ann, bob] = [new Browser(app), new Browser(app)]
    const first = await ann.get('/form')
    t.same(setCookies(first), ['session'])
    const second = await ann.get('/form')
    t.same(setCookies(second), [], 'one secret serves all forms')
    await bob.get('/form')

    const send = async (browser: Browser, token: string) =>
      (await browser.post('/form', {}, { 'csrf-token': token })).statusCode
    t.equal(await send(ann, first.body), 200)
    t.equal(await send(ann, second.body), 200)
    t.equal(await send(bob, first.body), 403, 'the token of another session')
    t.equal(await send(new Browser(app), first.body), 403, 'no session')
    t.equal(await send(ann, 'guessed'), 403)
  })
}

t.test('@fastify/csrf-protection may give the cookie attributes, and nothing else it says counts', async (t) => {
  const app = await buildSession()
  await app.register(csrf, {
    sessionPlugin: '@fastify/secure-session', getUserInfo: () => 'ann', csrfOpts: { hmacKey: 'some key' }
  })
  app.get(
    '/form',
    async (_request, reply) => reply.generateCsrf({ userInfo: 'ann', path: '/forms', signed: true } as never)
  )
  const [cookie] = (await app.inject('/form')).cookies as { path: string, value: string }[]
  t.equal(cookie?.path, '/forms')
  t.same(Object.keys(claimsOf(cookie?.value).data as object), ['_csrf'])
})

interface Person { id: string }

/** An application with passport over our session; whoever asks as `?as=` is let in. */
async function withPassport (app: FastifyInstance, options: ConstructorParameters<typeof Authenticator>[0] = {}) {
  const passport = new Authenticator(options)
  await app.register(passport.initialize())
  await app.register(passport.secureSession())
  passport.registerUserSerializer(async (user: Person) => user.id)
  passport.registerUserDeserializer(async (id: string) => ({ id }))
  passport.use('query', new class extends Strategy {
    override authenticate (request: FastifyRequest): void {
      const { as } = request.query as { as?: string }
      if (as === undefined) this.fail()
      else this.success({ id: as })
    }
  }('query'))
  app.get('/in', { preValidation: passport.authenticate('query') }, async (request) => request.user)
  app.get(
    '/in-kept',
    { preValidation: passport.authenticate('query', { keepSessionInfo: true }) },
    async (request) => request.user
  )
  app.get('/me', async (request) => request.user ?? null)
  app.get('/out', async (request) => {
    await request.logOut()
    return 'out'
  })
  return onePage(app)
}

t.test('@fastify/passport: login, a user at the next request, logout', async (t) => {
  const { browser } = await withPassport(await buildSession())
  t.same((await browser.get('/me')).json(), null)
  t.equal((await browser.get('/in')).statusCode, 401)
  t.same((await browser.get('/in?as=ann')).json(), { id: 'ann' })
  t.same((await browser.get('/me')).json(), { id: 'ann' })
  await browser.get('/out')
  t.same((await browser.get('/me')).json(), null)
  t.equal(browser.cookie('session'), undefined)
})

t.test('@fastify/passport: a login begins a new session, with the old values only where asked', async (t) => {
  for (const [url, cart] of [['/in?as=ann', null], ['/in-kept?as=ann', ['pear']]] as const) {
    const { visit, browser } = await withPassport(await buildSession())
    await visit((session) => session.set('cart', ['pear']))
    const before = browser.cookie('session')
    t.same((await browser.get(url)).json(), { id: 'ann' }, url)
    t.not(browser.cookie('session'), before)
    t.same((await visit((session) => session.get('cart'))).json(), cart, url)
    t.same((await browser.get('/me')).json(), { id: 'ann' })
  }
})

t.test('@fastify/passport: with clearSessionOnLogin false a logout keeps the other values', async (t) => {
  const { visit, browser } = await withPassport(await buildSession(), { clearSessionOnLogin: false })
  await visit((session) => session.set('cart', ['pear']))
  await browser.get('/in?as=ann')
  t.same((await visit((session) => session.get('cart'))).json(), ['pear'])
  await browser.get('/out')
  t.same((await browser.get('/me')).json(), null)
  t.same((await visit((session) => session.get('cart'))).json(), ['pear'])
})

t.test('@fastify/passport: its logout also ends our login and the remember cookie', async (t) => {
  const { byId, userLoader } = people()
  const app = await build({ userLoader })
  const { visit, browser } = await withPassport(app)
  await visit((_session, _request, reply) => reply.loginUser(byId.get('ann')!, { remember: true, redirectUrl: false }))
  const who = async () => (await visit((_session, request) => request.getCurrentUser())).json() as unknown
  t.match(await who(), { id: 'ann' })
  t.same(setCookies(await browser.get('/out')), ['-_remember', '-session'])
  t.equal(await who(), null)
})

t.test('@fastify/passport: its login with keepSessionInfo does not carry our login over', async (t) => {
  const { byId, userLoader } = people()
  const { visit, browser } = await withPassport(await build({ userLoader }))
  await visit((_session, _request, reply) => reply.loginUser(byId.get('ann')!, { redirectUrl: false }))
  await browser.get('/in-kept?as=bob')
  t.equal((await visit((_session, request) => request.getCurrentUser())).json(), null)
  t.same((await browser.get('/me')).json(), { id: 'bob' })
})

t.test('a child scope may have a session of another plugin in the place of ours', async (t) => {
  const app = Fastify()
  await app.register(fastifyLogin, { secret: SECRET, userLoader: people().userLoader })
  await app.register(async (child) => {
    await child.register(foreignSession, { secret: OTHER_SECRET, cookieName: 'theirs', cookie: { secure: false } })
    child.get('/theirs', async (request) => {
      const session = request.session as unknown as { count?: number, sessionId: string }
      session.count = (session.count ?? 0) + 1
      return { count: session.count, theirs: typeof session.sessionId }
    })
  })
  const { visit, browser } = onePage(app)
  await visit((session) => session.set('count', 10))
  t.same((await browser.get('/theirs')).json(), { count: 1, theirs: 'string' })
  t.same((await browser.get('/theirs')).json(), { count: 2, theirs: 'string' })
  t.equal((await visit((session) => session.get('count'))).json(), 10)
  t.same([...browser.jar.keys()], ['session', 'theirs'])
})

t.test('a response that was hijacked or ended raw carries no cookie, and nothing breaks', async (t) => {
  const log = captureLog()
  const app = await buildSession({}, { logger: log.logger })
  app.get('/hijacked', (request, reply) => {
    request.session.set('cart', 1)
    reply.hijack()
    reply.raw.end('hijacked')
  })
  app.get('/raw', (request, reply) => {
    request.session.set('cart', 1)
    reply.raw.end('raw')
  })
  const { visit } = onePage(app)
  for (const url of ['/hijacked', '/raw']) {
    const response = await app.inject(url)
    t.match([response.statusCode, response.body], [200, url.slice(1)])
    t.equal(response.headers['set-cookie'], undefined)
  }
  t.same(log.entries('error'), [])
  t.same((await visit((session) => session.data())).json(), {})
})
