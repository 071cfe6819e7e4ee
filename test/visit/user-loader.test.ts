import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import type { FastifyLoginOptions } from '../../src/index.js'
import { build } from '../support/app.js'
import { Browser, setCookies } from '../support/browser.js'
import { Clock, DAY } from '../support/clock.js'
import { site } from '../support/site.js'
import { people } from '../support/users.js'
import type { TestUser } from '../support/users.js'

const failures: Record<string, () => never | Promise<never>> = {
  throws: () => { throw new Error('database down') },
  rejects: async () => { throw new Error('database down') }
}

/** An application whose loader counts its calls, and routes that ask in every way. */
async function counting (options: FastifyLoginOptions = {}) {
  let calls = 0
  const loader = options.userLoader ?? people().userLoader
  const clock = new Clock()
  const app = await build({
    ...options,
    clock: clock.read,
    userLoader: (id, request) => {
      calls++
      return loader(id, request)
    }
  })
  let runs = 0
  app.get('/open', async () => 'open')
  app.get('/guarded', { onRequest: app.login.guard() }, async () => { runs++ })
  app.get('/fresh', { preHandler: app.login.guardFresh() }, async () => { runs++ })
  app.get('/asks', async (request) => ({ user: await request.getCurrentUser() }))
  app.get('/insists', async (request) => {
    const answers = await Promise.allSettled([request.getCurrentUser(), request.getCurrentUser()])
    answers.push(...await Promise.allSettled([request.getCurrentUser()]))
    return answers.map((answer) => answer.status === 'fulfilled' ? answer.value : (answer.reason as Error).message)
  })
  app.get('/guarded-insists', {
    onRequest: app.login.guard(), preHandler: [app.login.guard(), app.login.verify]
  }, async (request) => {
    return [await request.getCurrentUser(), request.currentUser, request.requireUser()]
  })
  return { app, clock, calls: () => calls, runs: () => runs }
}

for (const [fails, userLoader] of Object.entries(failures)) {
  t.test(`a loader that ${fails} is a 500 wherever the user is asked for: no pass, no logout`, async (t) => {
    const { app, runs } = await counting({ userLoader })
    const { session, _remember } = await app.login.cookiesFor({ id: 'ann' }, { remember: true })
    for (const cookies of [
      { session: session! }, { _remember: _remember! }, { session: session!, _remember: _remember! }
    ]) {
      for (const url of ['/guarded', '/fresh', '/asks']) {
        const response = await app.inject({ url, cookies })
        t.match(response, { statusCode: 500, body: /database down/ }, url)
        t.strictSame(setCookies(response), [], 'the cookies stay')
      }
    }
    t.equal(runs(), 0)
    t.match(await app.inject({ url: '/open', cookies: { session: session! } }), { statusCode: 200 })
    t.match(await app.inject('/guarded'), { statusCode: 302 }, 'that nobody is there needs no loader')
  })

  t.test(`a loader that ${fails} renews nothing that is due`, async (t) => {
    const { app, clock } = await counting({ userLoader, session: { idleSeconds: 1000 } })
    const cookies = await app.login.cookiesFor({ id: 'ann' }, { remember: true })
    clock.advance(600)
    for (const url of ['/guarded', '/asks']) t.strictSame(setCookies(await app.inject({ url, cookies })), [], url)
  })

  t.test(`a loader that ${fails} fails every route that loads eagerly, and only with a cookie`, async (t) => {
    const { app, calls } = await counting({ userLoader, loadUser: 'eager' })
    const response = await app.inject({ url: '/open', cookies: await app.login.cookiesFor({ id: 'ann' }) })
    t.match(response, { statusCode: 500, body: /database down/ })
    t.strictSame(setCookies(response), [])
    t.match(await app.inject('/open'), { statusCode: 200 })
    t.equal(calls(), 1)
  })

  t.test(`a loader that ${fails} is asked once per request`, async (t) => {
    const { app, calls } = await counting({ userLoader })
    const cookies = await app.login.cookiesFor({ id: 'ann' })
    t.strictSame((await app.inject({ url: '/insists', cookies })).json(), [
      'database down', 'database down', 'database down'
    ])
    t.equal(calls(), 1)
  })

  t.test(`after a loader that ${fails}, the error page cannot tell either, and does not pretend`, async (t) => {
    const app = await build({ userLoader })
    const seen: unknown[] = []
    app.setErrorHandler(async (error: Error, request, reply) => {
      for (const read of [() => request.currentUser, () => request.loginState, () => request.requireUser()]) {
        try {
          seen.push(read())
        } catch (error) {
          seen.push((error as { code: string }).code)
        }
      }
      seen.push(await request.getCurrentUser().catch((error: Error) => error.message))
      return reply.code(503).send(error.message)
    })
    app.get('/', { preHandler: app.login.guard() }, async () => 'passed')
    t.match(await app.inject({ url: '/', cookies: await app.login.cookiesFor({ id: 'ann' }) }), {
      statusCode: 503, body: 'database down'
    })
    t.strictSame(seen, [
      'FST_LOGIN_USER_NOT_LOADED', 'FST_LOGIN_USER_NOT_LOADED', 'FST_LOGIN_USER_NOT_LOADED', 'database down'
    ])
  })
}

t.test('a loader that has recovered finds everything as it was', async (t) => {
  let down = true
  const { app } = await counting({
    userLoader: async (id) => {
      if (down) throw new Error('database down')
      return { id }
    }
  })
  app.post('/login', async (_request, reply) => reply.loginUser({ id: 'ann' }, { remember: true }))
  const browser = new Browser(app)
  await browser.post('/login')
  const before = [browser.cookie('session'), browser.cookie('_remember')]
  t.match(await browser.get('/guarded'), { statusCode: 500 })
  t.strictSame([browser.cookie('session'), browser.cookie('_remember')], before)
  down = false
  t.match(await browser.get('/guarded'), { statusCode: 200 })
})

t.test('what the application stores while it cannot be told who is there is stored', async (t) => {
  const { app } = await counting({ userLoader: failures.throws! })
  app.get('/store', async (request) => {
    Object.assign(request.session, { cart: ['pear'] })
    return request.getCurrentUser()
  })
  const response = await app.inject({ url: '/store', cookies: await app.login.cookiesFor({ id: 'ann' }) })
  t.equal(response.statusCode, 500)
  t.strictSame(setCookies(response), ['session'])
})

t.test('the loader runs once per request, whoever asks and however often', async (t) => {
  for (const answer of [{ id: 'ann' }, null, undefined]) {
    for (const userLoader of [() => answer, async () => answer]) {
      const { app, calls } = await counting({ userLoader })
      const { session, _remember } = await app.login.cookiesFor({ id: 'ann' }, { remember: true })
      for (const cookies of [{ session: session! }, { _remember: _remember! }]) {
        const before = calls()
        t.strictSame((await app.inject({ url: '/insists', cookies })).json(), [
          answer ?? null, answer ?? null, answer ?? null
        ])
        t.equal(calls(), before + 1)
        const guarded = await app.inject({ url: '/guarded-insists', cookies })
        if (answer) t.strictSame(guarded.json(), [answer, answer, answer])
        else t.equal(guarded.statusCode, 302)
        t.equal(calls(), before + 2)
      }
    }
  }
})

t.test('the loader is not asked when nobody is there, nor for a route that never asks', async (t) => {
  const { app, calls } = await counting()
  for (const url of ['/guarded', '/asks', '/insists', '/open']) await app.inject(url)
  await app.inject({ url: '/asks', cookies: { session: 'garbage', _remember: 'garbage' } })
  await app.inject({ url: '/open', cookies: await app.login.cookiesFor({ id: 'ann' }) })
  t.equal(calls(), 0)
})

t.test('eagerly, the user is there before any hook of the application', async (t) => {
  for (const userLoader of [people().userLoader, async (id: string | number) => people().userLoader(id)]) {
    const { app, calls } = await counting({ userLoader, loadUser: 'eager' })
    const onRequest = async (request: FastifyRequest, reply: FastifyReply) => {
      reply.header('x-user', request.requireUser<{ name: string }>().name)
    }
    app.get('/', { onRequest }, async (request) => request.loginState)
    const response = await app.inject({ url: '/', cookies: await app.login.cookiesFor({ id: 'ann' }) })
    t.match(response, { statusCode: 200, headers: { 'x-user': 'Ann', vary: 'Cookie' } })
    t.match(response.json(), { kind: 'fresh', userId: 'ann' })
    t.equal(calls(), 1)
    t.match(await app.inject('/'), { statusCode: 401, body: /FST_LOGIN_UNAUTHORIZED/ })
  }
})

const members: Record<string, [read: (request: FastifyRequest) => unknown, anonymous: unknown]> = {
  'request.currentUser': [(request) => ({ got: request.currentUser }), { got: null }],
  'request.loginState': [(request) => ({ got: request.loginState }), { got: { kind: 'anonymous' } }],
  'request.requireUser()': [(request) => ({ got: request.requireUser() }), 'FST_LOGIN_UNAUTHORIZED']
}

for (const [member, [read, anonymous]] of Object.entries(members)) {
  t.test(`${member} before anything was loaded is an error where somebody may be there, and else nobody`, async (t) => {
    const app = await build()
    app.get('/', async (request) => read(request))
    const answer = async (cookies: Record<string, string>) => {
      const { code, message, ...body } = (await app.inject({ url: '/', cookies })).json() as Record<string, unknown>
      return code === 'FST_LOGIN_USER_NOT_LOADED' ? message : code ?? body
    }
    const { session, _remember } = await app.login.cookiesFor({ id: 'ann' }, { remember: true })
    const notLoaded = `${member} was read before the user was loaded. ` +
      'Put a guard on the route, await request.getCurrentUser() first, or register with loadUser: \'eager\''
    t.strictSame(await answer({ session: session! }), notLoaded)
    t.strictSame(await answer({ _remember: _remember! }), notLoaded)
    t.strictSame(await answer({}), anonymous)
    t.strictSame(await answer({ session: 'garbage', _remember: session! }), anonymous)

    const byKey = await build({ requestLoader: () => null })
    byKey.get('/', async (request) => read(request))
    t.match(await byKey.inject('/'), { statusCode: 500, body: /FST_LOGIN_USER_NOT_LOADED/ }, 'a key may be there too')
  })

  t.test(`${member} while the user is being loaded is no answer either`, async (t) => {
    const app = await build({ userLoader: async (id) => ({ id }) })
    app.get('/', async (request) => {
      const loading = request.getCurrentUser()
      t.throws(() => read(request), { code: 'FST_LOGIN_USER_NOT_LOADED' })
      await loading
      return read(request)
    })
    t.match(await app.inject({ url: '/', cookies: await app.login.cookiesFor({ id: 'ann' }) }), {
      statusCode: 200, body: /"ann"/
    })
  })
}

t.test('with only values in the session nobody is there', async (t) => {
  const app = await build()
  app.get('/', async (request) => ({ user: request.currentUser, state: request.loginState }))
  app.get('/store', async (request) => { Object.assign(request.session, { cart: ['pear'] }) })
  const browser = new Browser(app)
  await browser.get('/store')
  t.strictSame((await browser.get('/')).json(), { user: null, state: { kind: 'anonymous' } })
})

t.test('a loader that fails says nothing about the user: an error, and the cookies stay as they are', async (t) => {
  for (const how of ['throws', 'rejects'] as const) {
    let failing = false
    const { clock, user, byId, visitor } = await site({
      userLoader: (id) => {
        const error = new Error('database down')
        if (failing && how === 'throws') throw error
        return failing ? Promise.reject(error) : byId.get(id) as TestUser
      }
    })
    const ann = visitor()
    await ann.signIn(user('ann'), { remember: 5 })
    failing = true
    for (const seconds of [60, DAY * 0.9]) {
      clock.advance(seconds)
      t.match(
        await ann.get('/members'),
        { statusCode: 500, headers: { 'set-cookie': undefined, location: undefined } },
        `${how}, ${seconds}`
      )
    }
    const both = await ann.can(async (request) => {
      await t.rejects(request.getCurrentUser(), { message: 'database down' })
      await t.rejects(request.getCurrentUser(), { message: 'database down' })
      t.throws(() => request.currentUser, { code: 'FST_LOGIN_USER_NOT_LOADED' })
    })
    t.strictSame(setCookies(both), [])
    failing = false
    t.match(await ann.who(), { user: 'ann', kind: 'fresh', remembered: true }, how)
  }
})

t.test('a loader that returns something without an id is an error, never a pass and never a logout', async (t) => {
  for (const wrong of [{}, { id: '' }, { id: NaN }, { id: 7n }, { id: {} }, 'ann', 7, true, []]) {
    let answer: object | null = null
    const { user, visitor } = await site({
      userLoader: () => answer, requestLoader: (request) => 'x-key' in request.headers ? answer : null
    })
    const ann = visitor()
    await ann.signIn(user('ann'), { remember: 5 })
    answer = wrong as object
    for (const headers of [{}, { 'x-key': 'good' }]) {
      const browser = 'x-key' in headers ? visitor() : ann
      const response = await browser.get('/members', headers)
      t.match(
        response.json(),
        { statusCode: 500, code: 'FST_LOGIN_USER_WITHOUT_ID' },
        JSON.stringify([typeof wrong, headers])
      )
      t.strictSame(setCookies(response), [])
    }
  }
})

t.test('the loader runs at most once per request, also when it answers null', async (t) => {
  for (const id of ['ann', 'nobody']) {
    const { user, byId, loads, visitor } = await site()
    const browser = visitor()
    await browser.signIn({ ...user('ann'), id })
    await browser.can(async (request) => {
      const users = await Promise.all([request.getCurrentUser(), request.getCurrentUser()])
      users.push(await request.getCurrentUser(), request.currentUser)
      t.strictSame(users, Array(4).fill(byId.get(id) ?? null))
    })
    t.strictSame(loads, [id])
  }
})

t.test('reading the user before it was loaded is an error where somebody may be there, else nobody is', async (t) => {
  const { user, visitor } = await site()
  const [ann, stranger] = [visitor(), visitor()]
  await ann.signIn(user('ann'), { remember: 5 })
  for (const state of ['session', 'remembered']) {
    await ann.can((request) => {
      for (const read of [() => request.currentUser, () => request.loginState, () => request.requireUser()]) {
        t.throws(read, { code: 'FST_LOGIN_USER_NOT_LOADED' }, state)
      }
    })
    ann.close()
  }
  stranger.keep({ session: 'garbage' })
  await stranger.can((request) => {
    t.equal(request.currentUser, null)
    t.strictSame(request.loginState, { kind: 'anonymous' })
    t.throws(() => request.requireUser(), { code: 'FST_LOGIN_UNAUTHORIZED', statusCode: 401 })
  })
  const withKeys = await site({ requestLoader: () => null })
  await withKeys.visitor().can(async (request) => {
    t.throws(() => request.currentUser, { code: 'FST_LOGIN_USER_NOT_LOADED' })
    await request.getCurrentUser()
    t.equal(request.currentUser, null)
  })
})

const asking = [
  ['a userLoader', { userLoader: async (_id, request) => await request.getCurrentUser() }],
  ['a requestLoader', { requestLoader: async (request) => await request.getCurrentUser() }]
] as const satisfies [string, FastifyLoginOptions][]

for (const [which, options] of asking) {
  t.test(`${which} that waits for the user of its own request is told so, and nobody is logged out`, async (t) => {
    const { app, visitor } = await site(options)
    const errors: Error[] = []
    app.addHook('onError', async (_request, _reply, error) => { errors.push(error) })
    const browser = visitor()
    if ('userLoader' in options) browser.keep(await app.login.cookiesFor({ id: 'ann' }, { remember: 7 }))
    for (const path of ['/members', '/who']) {
      const response = await browser.get(path)
      t.match(response, { statusCode: 500 })
      t.equal(response.json().code, 'FST_LOGIN_USER_NOT_LOADED')
      t.strictSame(setCookies(response), [])
    }
    for (const { message } of errors) t.match(message, /a loader/i)
  })
}

t.test('a loader that asks and goes on without an answer still answers', async (t) => {
  const { app } = await site({
    userLoader: async (id, request) => {
      await t.rejects(request.getCurrentUser(), { code: 'FST_LOGIN_USER_NOT_LOADED' })
      return { id }
    }
  })
  const cookies = await app.login.cookiesFor({ id: 'ann' })
  t.match((await app.inject({ url: '/who', cookies })).json(), { user: 'ann' })
})
