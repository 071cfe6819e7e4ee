import type { FastifyRequest } from 'fastify'
import t from 'tap'
import type { FastifyLoginOptions } from '../../src/index.js'
import { build } from '../support/app.js'
import { setCookies } from '../support/browser.js'
import { people } from '../support/users.js'

const JSON_ONLY = { accept: 'application/json' }

/** `x-key: key of <id>` is a user; the key of Carl is one of a user who is not active. */
async function keyed (options: FastifyLoginOptions = {}) {
  const asked: string[] = []
  const byKey = (request: FastifyRequest) => {
    asked.push(request.url)
    const id = /^key of (.+)$/.exec(String(request.headers['x-key']))?.[1]
    return id === undefined ? null : { id, viaKey: true, isActive: id !== 'carl' }
  }
  const app = await build({ requestLoader: byKey, refreshUrl: '/confirm', ...options })
  const tell = async (request: FastifyRequest) => ({ user: await request.getCurrentUser(), state: request.loginState })
  app.get('/', tell)
  app.get('/guarded', { preHandler: app.login.guard() }, tell)
  app.get('/fresh', { preHandler: app.login.guardFresh() }, tell)
  app.get('/fresh-now', { preHandler: app.login.guardFresh({ maxAgeSeconds: 60 }) }, tell)
  app.get('/anonymous', { preHandler: app.login.guardAnonymous({ redirectUrl: '/home' }) }, tell)
  return { app, asked }
}

const KEY = { 'x-key': 'key of kim' }
const KIM = { user: { id: 'kim', viaKey: true, isActive: true }, state: { kind: 'request' } }
const NOBODY = { user: null, state: { kind: 'anonymous' } }

t.test('a key is a user, at guards too, and no cookie is touched', async (t) => {
  for (const later of [false, true]) {
    const { app, asked } = await keyed(later
      ? { requestLoader: async (request) => request.headers['x-key'] === KEY['x-key'] ? KIM.user : undefined }
      : {})
    for (const url of ['/', '/guarded']) {
      const response = await app.inject({ url, headers: KEY })
      t.strictSame([response.statusCode, response.json()], [200, KIM])
      t.strictSame(setCookies(response), [])
    }
    t.strictSame((await app.inject('/')).json(), NOBODY)
    t.match(await app.inject({ url: '/guarded', headers: JSON_ONLY }), {
      statusCode: 401, body: /FST_LOGIN_UNAUTHORIZED/
    })
    t.match(await app.inject({ url: '/anonymous', headers: KEY }), { statusCode: 302, headers: { location: '/home' } })
    if (!later) t.strictSame(asked, ['/', '/guarded', '/', '/guarded', '/anonymous'])
  }
})

t.test('where there is no userLoader, a key is the only way in and no cookie is one', async (t) => {
  const { app } = await keyed({ userLoader: undefined })
  t.strictSame((await app.inject({ url: '/guarded', headers: KEY })).json(), KIM)
  const cookies = await app.login.cookiesFor({ id: 'ann' }, { remember: true })
  t.strictSame((await app.inject({ url: '/', cookies })).json(), NOBODY)
})

t.test('a key is asked for only when no cookie gives a user', async (t) => {
  const { app, asked } = await keyed()
  const { session, _remember } = await app.login.cookiesFor({ id: 'ann' }, { remember: true })
  for (const cookies of [
    { session: session! }, { _remember: _remember! }, { session: 'garbage', _remember: _remember! }
  ]) {
    t.match((await app.inject({ url: '/guarded', cookies, headers: KEY })).json(), { user: { id: 'ann', name: 'Ann' } })
  }
  t.strictSame(asked, [])
})

t.test('cookies that give no user do not keep a key out, and are cleared', async (t) => {
  const { byId, userLoader } = people({ id: 'ann', name: 'Ann' }, { id: 'bob', name: 'Bob', isActive: false })
  const { app } = await keyed({ userLoader, userStamp: (user) => (user as { name: string }).name })
  const annHad = await app.login.cookiesFor(byId.get('ann') as object, { remember: true })
  const bobHas = await app.login.cookiesFor(byId.get('bob') as object, { remember: true })
  const goneHad = await app.login.cookiesFor({ id: 'gone', name: 'Gone' } as object, { remember: true })
  byId.set('ann', { id: 'ann', name: 'Anna' })
  const table: [name: string, cookies: Record<string, string | undefined>, cleared: string[]][] = [
    ['a bad remember cookie', { _remember: 'garbage' }, ['-_remember']],
    ['a session cookie in its place', { _remember: bobHas.session }, ['-_remember']],
    ['a bad session cookie', { session: 'garbage' }, ['-session']],
    ['both bad', { session: 'garbage', _remember: 'garbage' }, ['-_remember', '-session']],
    ['a remembered user who is gone', { _remember: goneHad._remember }, ['-_remember']],
    ['a session of a user who is gone', goneHad, ['-_remember', '-session']],
    ['a stamp that changed', annHad, ['-_remember', '-session']],
    ['a remembered stamp that changed', { _remember: annHad._remember }, ['-_remember']],
    ['a user who is not active', bobHas, []],
    ['a remembered user who is not active', { _remember: bobHas._remember }, []]
  ]
  for (const [name, cookies, cleared] of table) {
    const response = await app.inject({ url: '/guarded', cookies: cookies as Record<string, string>, headers: KEY })
    t.strictSame(
      [response.statusCode, response.json().state, setCookies(response)],
      [200, { kind: 'request' }, cleared],
      name
    )
    const without = await app.inject({ url: '/guarded', cookies: cookies as Record<string, string> })
    t.strictSame([without.statusCode, setCookies(without)], [302, cleared], `${name}, without a key`)
  }
})

t.test('a key never makes a fresh login', async (t) => {
  const { app } = await keyed()
  const told: unknown[] = []
  app.login.on('needsRefresh', ({ user }) => told.push(user))
  app.login.on('unauthorized', () => told.push('unauthorized'))
  for (const url of ['/fresh', '/fresh-now']) {
    t.match(await app.inject({ url, headers: { ...KEY, ...JSON_ONLY } }), {
      statusCode: 401, body: /FST_LOGIN_FRESH_REQUIRED/
    })
  }
  t.strictSame(told, [KIM.user, KIM.user])
})

t.test('a key is no login: there is nothing to log out of, to confirm or to remember', async (t) => {
  const { app } = await keyed()
  const told: string[] = []
  app.login.on('logout', () => told.push('logout'))
  app.login.on('confirm', () => told.push('confirm'))
  app.post('/logout', { preHandler: app.login.guard() }, async (request, reply) => {
    await reply.logoutUser()
    return { user: request.currentUser, state: request.loginState }
  })
  app.post('/confirm', { preHandler: app.login.guard() }, async (_request, reply) => { await reply.confirmLogin() })
  t.strictSame((await app.inject({ method: 'POST', url: '/logout', headers: KEY })).json(), NOBODY)
  t.match(await app.inject({ method: 'POST', url: '/confirm', headers: KEY }), {
    statusCode: 401, body: /FST_LOGIN_UNAUTHORIZED/
  })
  t.strictSame(told, [])
})

t.test('a key may sign its user in with a cookie', async (t) => {
  const { app } = await keyed()
  app.post('/exchange', { preHandler: app.login.guard() }, async (request, reply) => {
    await reply.loginUser(request.requireUser(), { redirectUrl: false })
    return request.loginState
  })
  const response = await app.inject({ method: 'POST', url: '/exchange', headers: KEY })
  t.match(response.json(), { kind: 'fresh', userId: 'kim' })
  t.strictSame(setCookies(response), ['session'])
})

t.test('who is not active is nobody by key either; a user without an id is an error', async (t) => {
  const { app } = await keyed()
  t.strictSame((await app.inject({ url: '/', headers: { 'x-key': 'key of carl' } })).json(), NOBODY)
  for (const user of [{}, { id: '' }, { id: null }, 'kim', 7, true, { id: 'kim', isActive: 0 }]) {
    for (const requestLoader of [() => user, async () => user]) {
      const { app } = await keyed({ requestLoader: requestLoader as never })
      const response = await app.inject({ url: '/guarded', headers: KEY })
      t.match(response, { statusCode: 500, body: /FST_LOGIN_(USER_WITHOUT_ID|INVALID_USER)/ }, JSON.stringify(user))
    }
  }
})

t.test('where it cannot be told whose key that is, that is an error', async (t) => {
  const failures = [() => { throw new Error('keys are down') }, async () => { throw new Error('keys are down') }]
  for (const requestLoader of failures) {
    const { app } = await keyed({ requestLoader })
    for (const url of ['/', '/guarded', '/fresh', '/anonymous']) {
      t.match(await app.inject({ url, headers: KEY }), { statusCode: 500, body: /keys are down/ }, url)
    }
    t.match(
      await app.inject({ url: '/guarded', cookies: await app.login.cookiesFor({ id: 'ann' }) }),
      { statusCode: 200 },
      'a cookie needs no key'
    )
  }
})
