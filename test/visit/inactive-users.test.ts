import t from 'tap'
import type { LoginUser } from 'fastify'
import { build } from '../support/app.js'
import { setCookies } from '../support/browser.js'
import { listen } from '../support/events.js'
import { site } from '../support/site.js'

t.test('isActive: only false makes a user inactive, and what is no boolean is an error', async (t) => {
  const cases: [unknown, number, number][] = [
    [true, 302, 200], [undefined, 302, 200], [false, 403, 302],
    ...[
      0, 1, null, '', 'false', 'true', {}, [], () => false
    ].map((wrong): [unknown, number, number] => [wrong, 500, 500])
  ]
  for (const [isActive, login, guarded] of cases) {
    const { user, visitor } = await site()
    const [ann, reopened, stranger] = [visitor(), visitor(), visitor()]
    for (const browser of [ann, reopened]) await browser.signIn(user('ann'), { remember: 5 })
    reopened.close()
    Object.assign(user('ann'), { isActive })
    const name = `${typeof isActive} ${String(isActive)}`
    t.match(await stranger.signIn(user('ann'), { remember: 5 }), { statusCode: login }, name)
    t.equal(stranger.jar.size, login === 302 ? 2 : 0, name)
    for (const browser of [ann, reopened]) t.match(await browser.get('/members'), { statusCode: guarded }, name)
  }
})

t.test('a user who becomes inactive is anonymous in session and remember cookie, and both cookies stay', async (t) => {
  const { user, visitor } = await site()
  const [ann, reopened] = [visitor(), visitor()]
  for (const browser of [ann, reopened]) await browser.signIn(user('ann'), { remember: 5 })
  reopened.close()
  for (const browser of [ann, reopened]) {
    user('ann').isActive = false
    const response = await browser.get('/members')
    t.match(response, { statusCode: 302, headers: { location: '/login?next=%2Fmembers' } })
    t.strictSame(setCookies(response), [])
    await browser.can(async (request) => {
      t.equal(await request.getCurrentUser(), null)
      t.equal(request.currentUser, null)
      t.strictSame(request.loginState, { kind: 'anonymous' })
      t.throws(() => request.requireUser(), { code: 'FST_LOGIN_UNAUTHORIZED' })
    })
    user('ann').isActive = true
    t.match(await browser.who(), { user: 'ann' }, 'back again')
  }
})

t.test('an isActive that is a getter counts as a property does', async (t) => {
  const { user, visitor } = await site()
  class Account {
    id = 'ann'
    get isActive () { return false }
  }
  t.match(await visitor().signIn(new Account() as never), { statusCode: 403 })
  t.match(await visitor().signIn(user('ann')), { statusCode: 302 })
})

t.test('force signs an inactive user in, who is let in nowhere until active', async (t) => {
  const { user, visitor } = await site()
  user('ann').isActive = false
  const ann = visitor()
  await ann.can(async (request, reply) => {
    await reply.loginUser(user('ann') as LoginUser, { force: true, redirectUrl: false })
    t.equal(request.currentUser, user('ann'), 'known in the request that forced it')
  })
  t.match(await ann.who(), { user: null })
  user('ann').isActive = true
  t.match(await ann.who(), { user: 'ann', kind: 'fresh' })
})

t.test('the requestLoader is asked for an inactive user too, and its own inactive user is nobody', async (t) => {
  const machine = { id: 'machine', name: 'Machine', isActive: true as unknown }
  const { app, user, visitor } = await site({ requestLoader: (request) => 'x-key' in request.headers ? machine : null })
  const heard = listen(app.login)
  const ann = visitor()
  await ann.signIn(user('ann'))
  user('ann').isActive = false
  t.strictSame(await ann.who({ 'x-key': 'good' }), { user: 'machine', kind: 'request' })
  await ann.can(async (request, reply) => {
    await request.getCurrentUser()
    await reply.logoutUser()
  }, { 'x-key': 'good' })
  t.match(
    heard.at(-1),
    { event: 'logout', payload: { user: user('ann'), userId: 'ann' } },
    'the one who was signed in has left'
  )
  machine.isActive = false
  t.strictSame(await ann.who({ 'x-key': 'good' }), { user: null, kind: 'anonymous' })
  machine.isActive = 'no'
  t.match(await ann.get('/members', { 'x-key': 'good' }), { statusCode: 500 })
})

t.test('the logout of an inactive user tells of that user, and asks the loader once', async (t) => {
  const ann = { id: 'ann', name: 'Ann', isActive: false }
  const asked: unknown[] = []
  const app = await build({ userLoader: (id) => { asked.push(id); return ann as LoginUser } })
  const told: unknown[] = []
  app.login.on('logout', ({ user }) => told.push(user))
  app.post('/logout', async (request, reply) => {
    t.equal(await request.getCurrentUser(), null)
    await reply.logoutUser()
    return 'bye'
  })
  const cookies = await app.login.cookiesFor(ann as LoginUser)
  t.equal((await app.inject({ method: 'POST', url: '/logout', cookies })).statusCode, 200)
  t.strictSame([told, asked], [[ann], ['ann']])
})
