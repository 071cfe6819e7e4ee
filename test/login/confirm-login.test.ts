import t from 'tap'
import type { LoginUser } from 'fastify'
import { setCookies } from '../support/browser.js'
import { DAY, START } from '../support/clock.js'
import { listen } from '../support/events.js'
import { site } from '../support/site.js'
import { claimsOf } from '../support/tokens.js'

const now = START / 1000

t.test('confirming makes a login fresh again: same sid, same session, new time', async (t) => {
  const { user, clock, visitor } = await site({ session: { idleSeconds: DAY } })
  const ann = visitor()
  await ann.signIn(user('ann'), { fresh: false })
  await ann.can((request) => { Object.assign(request.session, { cart: ['pear'] }) })
  const { sid } = claimsOf(ann.cookie('session'))
  clock.advance(1000)
  const response = await ann.can(async (request, reply) => {
    t.equal(await reply.confirmLogin(), undefined)
    t.equal(request.currentUser, user('ann'))
    t.match(request.loginState, { kind: 'fresh', authTime: now + 1000 })
  })
  t.strictSame(setCookies(response), ['session'])
  t.strictSame(claimsOf(ann.cookie('session')), {
    ck: 'session',
    uid: 'ann',
    sid,
    auth_time: now + 1000,
    fresh: true,
    iat: now + 1000,
    exp: now + 1000 + DAY,
    born: now,
    data: { cart: ['pear'] }
  })
})

t.test('a restored login becomes fresh by confirming, and stays remembered as it was', async (t) => {
  const { app, user, clock, visitor } = await site({ refreshUrl: '/confirm' })
  app.post('/confirm', { preHandler: app.login.guard() }, async (request, reply) => {
    await reply.confirmLogin()
    return reply.redirect(app.login.safeNext((request.query as { next: string }).next)!)
  })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 9 })
  const { sid } = await ann.who()
  ann.close()
  clock.advance(DAY)
  const asked = await ann.get('/fresh')
  t.match(asked, { statusCode: 302, headers: { location: '/confirm?next=%2Ffresh' } })
  const remembered = ann.cookie('_remember')
  t.match(await ann.post(asked.headers.location!), { statusCode: 302, headers: { location: '/fresh' } })
  t.equal((await ann.get('/fresh')).body, 'Ann')
  t.equal(ann.cookie('_remember'), remembered)
  t.match(await ann.who(), { kind: 'fresh', sid, authTime: now + DAY, remembered: true })
  ann.close()
  t.match(await ann.who(), { kind: 'stale', authTime: now })
})

t.test('a login can be restored and confirmed in one request', async (t) => {
  const { user, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 9 })
  ann.close()
  t.strictSame(setCookies(await ann.does((_request, reply) => reply.confirmLogin())), ['_remember', 'session'])
  t.match(await ann.who(), { kind: 'fresh' })
})

t.test('confirming without a login throws 401 and leaves nothing behind', async (t) => {
  const machine = { id: 'machine' }
  const { app, user, byId, visitor } = await site({
    requestLoader: (request) => 'x-key' in request.headers ? machine : null
  })
  const gone = visitor()
  await gone.signIn(user('ann'))
  byId.delete('ann')
  const heard = listen(app.login)
  const attempts: [string, ReturnType<typeof visitor>, LoginUser | undefined, Record<string, string>][] = [
    ['nobody', visitor(), undefined, {}],
    ['nobody, with a user', visitor(), { id: 'bob' } as LoginUser, {}],
    ['a user from the request', visitor(), undefined, { 'x-key': 'good' }],
    ['a user who is gone', gone, undefined, {}]
  ]
  for (const [name, browser, user, headers] of attempts) {
    const response = await browser.does((_request, reply) => reply.confirmLogin(user), headers)
    t.match(response.json(), { statusCode: 401, code: 'FST_LOGIN_UNAUTHORIZED' }, name)
    t.equal(browser.jar.size, 0, name)
  }
  t.strictSame(heard, [])
})

t.test('confirming is for the user of the login only, and for nobody who may not be logged in', async (t) => {
  const { user, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { fresh: false })
  const attempts: [LoginUser | undefined, number, string][] = [
    [user('bob') as LoginUser, 500, 'FST_LOGIN_INVALID_OPTIONS'],
    [{ id: 'ann', isActive: false } as LoginUser, 403, 'FST_LOGIN_INACTIVE_USER'],
    [{ id: 'ann', isActive: 0 } as LoginUser, 500, 'FST_LOGIN_INVALID_USER']
  ]
  for (const [changed, statusCode, code] of attempts) {
    const response = await ann.does((_request, reply) => reply.confirmLogin(changed))
    t.match(response.json(), { statusCode, code })
    t.strictSame(setCookies(response), [])
  }
  user('ann').isActive = false
  t.match(await ann.does((_request, reply) => reply.confirmLogin()), { statusCode: 401 })
  user('ann').isActive = true
  t.match(await ann.who(), { user: 'ann', kind: 'stale' })
})

t.test('a confirmed login stands when the handler throws after it', async (t) => {
  const { user, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { fresh: false })
  const response = await ann.does(async (_request, reply) => {
    await reply.confirmLogin()
    throw new Error('afterwards')
  })
  t.equal(response.statusCode, 500)
  t.match(await ann.who(), { kind: 'fresh' })
})

t.test('maxAgeSeconds counts from the last proof, to the second, and a time in the future is stale', async (t) => {
  const { app, user, clock, visitor } = await site()
  const limits = [0, 1, 300]
  for (const maxAgeSeconds of limits) {
    app.get(`/within/${maxAgeSeconds}`, { preHandler: app.login.guardFresh({ maxAgeSeconds }) }, async () => 'in')
  }
  const ann = visitor()
  const passes = async () => {
    const responses = await Promise.all(limits.map((limit) => ann.get(`/within/${limit}`)))
    return limits.filter((_limit, index) => responses[index]!.body === 'in')
  }
  await ann.signIn(user('ann'))
  for (const [age, expected] of [[0, [0, 1, 300]], [1, [1, 300]], [2, [300]], [300, [300]], [301, []]] as const) {
    clock.now = START + age * 1000
    t.strictSame(await passes(), expected, `${age} s later`)
  }
  t.equal((await ann.get('/fresh')).statusCode, 200, 'without a limit the whole session is fresh')
  await ann.get('/members')
  t.strictSame(await passes(), [], 'use is no proof')
  await ann.can((_request, reply) => reply.confirmLogin())
  t.strictSame(await passes(), [0, 1, 300])
  clock.advance(-1)
  t.strictSame(await passes(), [], 'the clock was set back')
})

t.test('only login and confirmation move the time: no renewal, no restore, no fresh: true in between', async (t) => {
  const { user, clock, visitor } = await site({ session: { idleSeconds: 1000 } })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 9 })
  clock.advance(900)
  t.strictSame(setCookies(await ann.get('/members')), ['session'], 'renewed')
  t.match(await ann.who(), { kind: 'fresh', authTime: now })
  ann.close()
  t.match(await ann.who(), { kind: 'stale', authTime: now })
  await ann.can((_request, reply) => reply.confirmLogin())
  t.match(await ann.who(), { kind: 'fresh', authTime: now + 900 })
})
