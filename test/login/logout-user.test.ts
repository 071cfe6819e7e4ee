import t from 'tap'
import type { LightMyRequestResponse } from 'fastify'
import { Browser, setCookies } from '../support/browser.js'
import { DAY, START } from '../support/clock.js'
import { listen } from '../support/events.js'
import { site } from '../support/site.js'
import { claimsOf, forge, OTHER_SECRET } from '../support/tokens.js'

const BOTH_CLEARED = ['-_remember', '-session']

t.test('a remembered user stays signed out after logout, also on a route that loads nobody', async (t) => {
  const { user, loads, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: true })
  t.strictSame(setCookies(await ann.signOut()), BOTH_CLEARED)
  t.strictSame(loads, [])
  t.equal(ann.jar.size, 0)
  t.match(await ann.get('/members'), { statusCode: 302, headers: { location: '/login?next=%2Fmembers' } })
})

t.test('logout after the session has expired ends what is remembered', async (t) => {
  const { app, user, clock, visitor } = await site({ session: { idleSeconds: 600 } })
  const heard = listen(app.login)
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 30 })
  const { sid } = claimsOf(ann.cookie('_remember'))
  clock.advance(DAY)
  t.strictSame(setCookies(await ann.signOut()), BOTH_CLEARED)
  t.match(await ann.who(), { user: null })
  const { request, ...told } = heard.at(-1)!.payload
  t.strictSame([heard.at(-1)!.event, told], ['logout', { user: user('ann'), userId: 'ann', sid, scope: 'this' }])
})

t.test('logout clears both cookies whatever came with the request', async (t) => {
  const { user, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 3 })
  const session = ann.cookie('session')!
  const remember = ann.cookie('_remember')!
  const jars = [
    {}, { session }, { _remember: remember }, { session, _remember: remember },
    { session: 'garbage', _remember: 'garbage' },
    { session: remember, _remember: session }, { session: '', _remember: '' }
  ]
  for (const cookies of jars) {
    const cookie = Object.entries(cookies).map((pair) => pair.join('=')).join('; ')
    const response = await visitor().does((_request, reply) => reply.logoutUser(), { cookie })
    t.equal(response.statusCode, 200, Object.keys(cookies).join())
    t.strictSame(setCookies(response), BOTH_CLEARED, Object.keys(cookies).join())
  }
})

t.test('a page of another site, whose requests carry no Lax cookies, signs nobody out', async (t) => {
  const { user, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 3 })
  const fromElsewhere = await visitor().does(
    (_request, reply) => reply.logoutUser(),
    { 'sec-fetch-site': 'cross-site' }
  )
  t.strictSame(setCookies(fromElsewhere), [])
  const carried = await ann.does((_request, reply) => reply.logoutUser(), { 'sec-fetch-site': 'cross-site' })
  t.strictSame(setCookies(carried), BOTH_CLEARED, 'with sameSite none they come, and go')
})

/** Attributes of every Set-Cookie, without value and lifetime. */
function attributes (response: LightMyRequestResponse): object {
  return Object.fromEntries(response.cookies.map(({ name, value, maxAge, expires, ...rest }) => [name, rest]))
}

t.test('logout clears the cookies with the attributes they were set with', async (t) => {
  const { user, visitor } = await site({
    cookie: { domain: 'example.org', secure: true, partitioned: true, priority: 'high' },
    session: { cookie: { path: '/app', sameSite: 'strict' } },
    remember: { cookie: { httpOnly: false, sameSite: 'none', path: '/' } }
  })
  const ann = visitor()
  const set = await ann.signIn(user('ann'), { remember: true })
  t.strictSame(attributes(set), {
    session: {
      domain: 'example.org',
      path: '/app',
      secure: true,
      httpOnly: true,
      sameSite: 'Strict',
      partitioned: true,
      priority: 'High'
    },
    _remember: { domain: 'example.org', path: '/', secure: true, sameSite: 'None', partitioned: true, priority: 'High' }
  })
  const cleared = await ann.signOut()
  t.strictSame(attributes(cleared), attributes(set))
  for (const { name, value, maxAge, expires } of cleared.cookies) {
    t.strictSame([value, maxAge, expires], ['', 0, new Date(0)], name)
  }
})

t.test('logout drops what the session held but for keepOnLogout, which belongs to a new session', async (t) => {
  const { user, clock, visitor } = await site({ session: { keepOnLogout: ['theme', 'never set'] } })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: true })
  await ann.can((request) => { Object.assign(request.session, { theme: 'dark', letters: ['dear Bob'] }) })
  clock.advance(50)
  t.strictSame(setCookies(await ann.signOut()), ['-_remember', 'session'])
  const now = START / 1000 + 50
  t.strictSame(claimsOf(ann.cookie('session')), {
    ck: 'session', iat: now, exp: now + DAY, born: now, data: { theme: 'dark' }
  })
  t.match(await ann.who(), { user: null, kind: 'anonymous' })
})

t.test('a logout stands when the handler throws after it', async (t) => {
  const { user, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: true })
  const response = await ann.does(async (_request, reply) => {
    await reply.logoutUser()
    throw Object.assign(new Error('no such page'), { statusCode: 404 })
  })
  t.equal(response.statusCode, 404)
  t.strictSame(setCookies(response), BOTH_CLEARED)
  t.match(await ann.who(), { user: null })
})

t.test('after logout the request itself has no user any more', async (t) => {
  const { user, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: true })
  await ann.can(async (request, reply) => {
    t.equal(await request.getCurrentUser(), user('ann'))
    await reply.logoutUser()
    t.equal(request.currentUser, null)
    t.equal(await request.getCurrentUser(), null)
    t.strictSame(request.loginState, { kind: 'anonymous' })
    t.throws(() => request.requireUser(), { code: 'FST_LOGIN_UNAUTHORIZED' })
  })
})

t.test('logout right after a restore sends one Set-Cookie per name, and grants nothing', async (t) => {
  const { app, user, visitor } = await site()
  app.post('/logout', { preHandler: app.login.guard() }, async (_request, reply) => {
    await reply.logoutUser()
    return reply.redirect('/')
  })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: true })
  ann.close()
  const response = await ann.post('/logout')
  t.match(response, { statusCode: 302, headers: { location: '/' } })
  t.strictSame(setCookies(response), BOTH_CLEARED)
})

t.test('logout touches no other cookie of the response', async (t) => {
  const { user, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'))
  const response = await ann.does(async (_request, reply) => {
    reply.setCookie('theme', 'dark')
    await reply.logoutUser()
  })
  t.strictSame(setCookies(response), [...BOTH_CLEARED, 'theme'])
})

t.test('logout ends the remember cookie of another login too, and the event is that of the session', async (t) => {
  const { app, user, visitor } = await site()
  const [ann, bob] = [visitor(), visitor()]
  await ann.signIn(user('ann'))
  await bob.signIn(user('bob'), { remember: true })
  ann.keep({ _remember: bob.cookie('_remember')! })
  const heard = listen(app.login)
  t.strictSame(setCookies(await ann.signOut()), BOTH_CLEARED)
  t.match(heard, [{ event: 'logout', payload: { user: user('ann'), userId: 'ann' } }])
  t.equal(heard.length, 1)
})

t.test('a forged remember cookie is no login that could be ended', async (t) => {
  const { app } = await site()
  const heard = listen(app.login)
  const now = START / 1000
  const claims = { ck: '_remember', uid: 'ann', sid: 'x', days: 3, iat: now, exp: now + DAY, born: now, auth_time: now }
  app.get('/bye', async (_request, reply) => {
    await reply.logoutUser()
    return 'bye'
  })
  const stranger = new Browser(app)
  stranger.keep({ _remember: forge(claims, { secret: OTHER_SECRET, typ: 'remember+jwt' }) })
  t.strictSame(setCookies(await stranger.get('/bye')), BOTH_CLEARED)
  t.strictSame(heard.map(({ event }) => event), ['invalidToken'])
})

t.test('a handler that forgets to wait for the logout signs out all the same', async (t) => {
  const { app, user, visitor } = await site()
  app.post('/hasty', (_request, reply) => {
    reply.logoutUser()
    reply.send('bye')
  })
  for (const heard of [false, true]) {
    if (heard) app.login.on('logout', () => {})
    const ann = visitor()
    await ann.signIn(user('ann'), { remember: 3 })
    t.strictSame(setCookies(await ann.post('/hasty')), BOTH_CLEARED, heard ? 'with a listener' : 'without')
  }
})
