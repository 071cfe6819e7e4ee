import t from 'tap'
import type { LoginUser } from 'fastify'
import fastifyLogin from '../../src/index.js'
import { build } from '../support/app.js'
import { setCookies } from '../support/browser.js'
import { site } from '../support/site.js'
import { OTHER_SECRET } from '../support/tokens.js'

t.test('lazy, the default: a route that never asks loads nobody, reads no cookie and does not vary', async (t) => {
  const { user, loads, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 5 })
  ann.keep({ _remember: 'garbage' })
  t.match(await ann.get('/public'), { statusCode: 200, headers: { vary: undefined, 'set-cookie': undefined } })
  t.strictSame(loads, [])
})

t.test('eager: the user is there in every handler, and was loaded once', async (t) => {
  for (const slow of [false, true]) {
    const { app, user, byId, visitor } = await site({
      loadUser: 'eager',
      userLoader: (id) => {
        loads.push(id)
        return slow ? Promise.resolve(byId.get(id)!) : byId.get(id)!
      }
    })
    const loads: unknown[] = []
    app.get('/plain', async (request) => [request.currentUser, request.loginState.kind])
    app.setNotFoundHandler(async (request) => [request.currentUser, 'lost'])
    const ann = visitor()
    t.strictSame((await ann.get('/plain')).json(), [null, 'anonymous'])
    await ann.signIn(user('ann'), { remember: 5 })
    const plain = await ann.get('/plain')
    t.strictSame(plain.json(), [user('ann'), 'fresh'])
    t.equal(plain.headers.vary, 'Cookie')
    ann.close()
    t.strictSame((await ann.get('/plain')).json(), [user('ann'), 'stale'])
    t.strictSame((await ann.get('/nowhere')).json(), [user('ann'), 'lost'])
    t.equal((await ann.get('/members')).body, 'Ann')
    t.strictSame(loads, Array(4).fill('ann'))
  }
})

t.test('eager: a loader that fails stops the request before the handler', async (t) => {
  for (const fail of [() => { throw new Error('down') }, async () => { throw new Error('down') }]) {
    const { app, user, visitor } = await site({ loadUser: 'eager', userLoader: fail })
    app.get('/plain', async () => t.fail('the handler ran'))
    const ann = visitor()
    ann.keep(await app.login.cookiesFor(user('ann')))
    const response = await ann.get('/plain')
    t.equal(response.statusCode, 500)
    t.strictSame(setCookies(response), [])
    ann.jar.clear()
    t.equal((await ann.get('/public')).statusCode, 200, 'strangers need no loader')
  }
})

t.test('eager loads nobody on the routes of an area below, which has users of its own', async (t) => {
  const asked: unknown[] = []
  const app = await build({ loadUser: 'eager', userLoader: (id) => { asked.push(id); return { id } } })
  await app.register(async (child) => {
    await child.register(fastifyLogin, {
      secret: OTHER_SECRET,
      userLoader: () => null,
      session: { cookieName: 'staff' },
      remember: { cookieName: 'staff_remember' }
    })
    child.get('/staff', async () => 'plain')
  })
  app.get('/', async () => 'plain')
  const cookies = await app.login.cookiesFor({ id: 'ann' } as LoginUser)
  t.match(await app.inject({ url: '/staff', cookies }), { statusCode: 200, headers: { vary: undefined } })
  t.strictSame(asked, [])
  await app.inject({ url: '/', cookies })
  t.strictSame(asked, ['ann'])
})
