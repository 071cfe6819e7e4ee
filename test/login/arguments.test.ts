import t from 'tap'
import type { Test } from 'tap'
import type { FastifyReply, LoginUser } from 'fastify'
import { DAY } from '../support/clock.js'
import { listen } from '../support/events.js'
import { site } from '../support/site.js'

/** Each call is made in a browser where Ann is signed in and remembered; it must fail and leave everything as it is. */
async function refuses (
  t: Test, code: string, statusCode: number, calls: Record<string, (reply: FastifyReply) => Promise<unknown>>,
  options = {}
) {
  const { app, user, clock, visitor } = await site(options)
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 7 })
  const before = await ann.who()
  const heard = listen(app.login)
  clock.advance(DAY / 4)
  for (const [name, call] of Object.entries(calls)) {
    const response = await ann.does(async (request, reply) => {
      await request.getCurrentUser()
      await call(reply).finally(() => t.equal(request.currentUser, user('ann'), name))
    })
    t.match(response, { statusCode, headers: { 'set-cookie': undefined, location: undefined } }, name)
    t.equal(response.json().code, code, name)
  }
  t.strictSame(await ann.who(), before)
  t.strictSame(heard, [])
}

const bob = { id: 'bob', name: 'Bob' }

t.test('remember takes true, false and 1 to 400 whole days', async (t) => {
  const values = ['on', '', '7', 'true', 0, -0, -1, 401, 1.5, NaN, Infinity, null, {}, [7], 7n, () => 7]
  await refuses(t, 'FST_LOGIN_INVALID_REMEMBER', 500, Object.fromEntries(values.map((remember) => [
    `${typeof remember} ${String(remember)}`,
    (reply: FastifyReply) => reply.loginUser(bob, { remember: remember as number, redirectUrl: false })
  ])))
})

t.test('a user needs an id that is a finite number or a string that is not empty', async (t) => {
  const users = [
    {}, { id: '' }, { id: NaN }, { id: Infinity }, { id: {} }, { id: ['bob'] }, { id: 7n }, { id: null }, { id: true },
    { ID: 7 }, [],
    null, undefined, 'bob', 7
  ]
  const calls = users.map((user, index) => [
    `user ${index}`, (reply: FastifyReply) => reply.loginUser(user as LoginUser, { redirectUrl: false })
  ])
  await refuses(t, 'FST_LOGIN_USER_WITHOUT_ID', 500, Object.fromEntries(calls))
  await refuses(t, 'FST_LOGIN_USER_WITHOUT_ID', 500, {
    confirmLogin: (reply) => reply.confirmLogin({ name: 'nobody' } as LoginUser)
  })
})

t.test('misspelt options and wrong values are refused by name', async (t) => {
  const wrong = [
    { rememberMe: true }, { remeber: true }, { redirectURL: '/x' }, { redirectUrl: '' }, { redirectUrl: true },
    { redirectUrl: null },
    { fresh: 'yes' }, { force: 1 }, { redirectStatus: 200 }, { redirectStatus: '302' }
  ]
  const calls = wrong.map((options) => [
    JSON.stringify(options), (reply: FastifyReply) => reply.loginUser(bob, options as object)
  ])
  await refuses(t, 'FST_LOGIN_INVALID_OPTIONS', 500, {
    ...Object.fromEntries(calls),
    'logout from everything': (reply) => reply.logoutUser({ scope: 'all' as 'this' }),
    'misspelt scope': (reply) => reply.logoutUser({ scopes: 'this' } as object),
    'somebody else confirms': (reply) => reply.confirmLogin(bob)
  })
})

t.test('logoutUser without a store takes no scope but "this"', async (t) => {
  await refuses(t, 'FST_LOGIN_STORE_REQUIRED', 500, {
    others: (reply) => reply.logoutUser({ scope: 'others' }),
    everywhere: (reply) => reply.logoutUser({ scope: 'everywhere' })
  })
})

t.test('an inactive user is refused, and so is one of whom it cannot be told', async (t) => {
  await refuses(t, 'FST_LOGIN_INACTIVE_USER', 403, {
    login: (reply) => reply.loginUser({ ...bob, isActive: false } as LoginUser, { remember: true }),
    confirm: (reply) => reply.confirmLogin({ id: 'ann', isActive: false } as LoginUser)
  })
  await refuses(t, 'FST_LOGIN_INVALID_USER', 500, Object.fromEntries([
    0, 1, null, 'false', 'yes', {}
  ].map((isActive) => [
    `isActive: ${JSON.stringify(isActive)}`,
    (reply: FastifyReply) => reply.loginUser({ ...bob, isActive } as LoginUser, { force: true })
  ])))
})

t.test('a login that does not fit into its cookie is refused', async (t) => {
  await refuses(t, 'FST_LOGIN_COOKIE_TOO_LARGE', 500, {
    'long id': (reply) => reply.loginUser({ id: 'b'.repeat(4000) } as LoginUser, { remember: true })
  })
})

t.test('a userStamp or fingerprint that fails stops the login', async (t) => {
  const login = { login: (reply: FastifyReply) => reply.loginUser(bob, { remember: true }) }
  const userStamp = (user: LoginUser) =>
    (user as { id: string }).id === 'ann' ? 'stamp' : undefined as unknown as string
  await refuses(t, 'FST_LOGIN_INVALID_OPTIONS', 500, login, { userStamp })
})

t.test('a login whose remember cookie would be too large is refused before anything changes', async (t) => {
  const { app, visitor } = await site({ remember: { cookie: { path: `/${'x'.repeat(1200)}` } } })
  const heard = listen(app.login)
  const ann = visitor()
  const response = await ann.signIn({ id: 'a'.repeat(2100), name: 'Ann' }, { remember: true })
  t.match(response, { statusCode: 500, body: /FST_LOGIN_COOKIE_TOO_LARGE.*_remember/ })
  t.equal(ann.jar.size, 0)
  t.strictSame(heard, [])
})
