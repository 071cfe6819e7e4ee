import t from 'tap'
import { setCookies } from '../support/browser.js'
import { DAY, START } from '../support/clock.js'
import { listen } from '../support/events.js'
import { site } from '../support/site.js'
import { claimsOf, OTHER_SECRET, SECRET } from '../support/tokens.js'

const now = START / 1000

t.test('a chosen number of days survives every renewal, and renewal ends at maxDays after the login', async (t) => {
  const { user, clock, visitor } = await site({ remember: { maxDays: 20 } })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 7 })
  for (const [day, end] of [[3, 10], [9, 16], [15, 20], [19, 20]] as const) {
    clock.now = START + day * DAY * 1000
    ann.close()
    t.match(await ann.who(), { user: 'ann', remembered: true }, `day ${day}`)
    t.match(
      claimsOf(ann.cookie('_remember')),
      { days: 7, born: now, iat: now + day * DAY, exp: now + end * DAY },
      `day ${day}`
    )
    t.equal(ann.jar.get('_remember')?.maxAge, (end - day) * DAY, `day ${day}`)
  }
  clock.now = START + 20 * DAY * 1000
  ann.close()
  t.match(await ann.who(), { user: null })
})

t.test('days beyond maxDays are kept whole and not extended', async (t) => {
  const { user, clock, visitor } = await site({ remember: { maxDays: 20 } })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 365 })
  clock.advance(300 * DAY)
  ann.close()
  t.match(await ann.who(), { user: 'ann' })
  t.match(claimsOf(ann.cookie('_remember')), { days: 365, exp: now + 365 * DAY })
  t.equal(ann.jar.get('_remember')?.maxAge, 65 * DAY)
})

t.test('with renew: false the cookie stays as it is to its end', async (t) => {
  const { user, clock, visitor } = await site({ remember: { renew: false } })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 7 })
  const cookie = ann.cookie('_remember')
  clock.advance(7 * DAY - 1)
  ann.close()
  t.strictSame(setCookies(await ann.get('/members')), ['session'])
  t.equal(ann.cookie('_remember'), cookie)
  clock.advance(1)
  ann.close()
  t.match(await ann.who(), { user: null })
})

t.test('the server enforces the end, whatever the browser keeps', async (t) => {
  const { app, user, clock, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 7 })
  ann.close()
  const kept = ann.jar.get('_remember')!
  clock.advance(7 * DAY)
  const heard = listen(app.login)
  const response = await ann.get('/members')
  t.match(response, { statusCode: 302, headers: { location: '/login?next=%2Fmembers' } })
  t.strictSame(setCookies(response), ['-_remember'])
  t.match(heard, [
    { event: 'invalidToken', payload: { cookie: '_remember', reason: 'expired' } }, { event: 'unauthorized' }
  ])
  clock.advance(-1)
  ann.jar.set('_remember', kept)
  t.match(await ann.who(), { user: 'ann' })
})

t.test('who closes the browser comes back remembered but not fresh, and is fresh after signing in again', async (t) => {
  const { user, clock, visitor } = await site({ refreshUrl: '/confirm' })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 14 })
  const { sid } = await ann.who()
  t.equal((await ann.get('/fresh')).statusCode, 200)
  for (const day of [1, 2, 3]) {
    clock.advance(DAY)
    ann.close()
    t.match(await ann.get('/fresh'), { statusCode: 302, headers: { location: '/confirm?next=%2Ffresh' } }, `day ${day}`)
    t.strictSame(
      await ann.who(),
      { user: 'ann', kind: 'stale', sid, userId: 'ann', authTime: now, remembered: true },
      `day ${day}`
    )
    t.match(claimsOf(ann.cookie('session')), { fresh: false, auth_time: now, born: now + day * DAY }, `day ${day}`)
    t.match(claimsOf(ann.cookie('_remember')), { auth_time: now, sid }, `day ${day}`)
    t.equal((await ann.get('/members')).body, 'Ann', `day ${day}`)
  }
  await ann.signIn(user('ann'))
  t.equal((await ann.get('/fresh')).statusCode, 200)
  ann.close()
  t.match(await ann.who(), { user: null }, 'not remembered any more')
})

t.test('a session that has expired is followed by what is remembered', async (t) => {
  const { user, clock, visitor } = await site({ session: { idleSeconds: 600 } })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 14 })
  clock.advance(600)
  const response = await ann.get('/members')
  t.equal(response.body, 'Ann')
  t.strictSame(setCookies(response), ['_remember', 'session'])
  t.match(await ann.who(), { kind: 'stale' })
})

t.test('beside a session that serves, the remember cookie is neither verified nor renewed', async (t) => {
  const { app, user, clock, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 14 })
  clock.advance(3600)
  t.strictSame(setCookies(await ann.get('/members')), [])
  ann.keep({ _remember: 'garbage' })
  const heard = listen(app.login)
  const response = await ann.get('/members')
  t.equal(response.body, 'Ann')
  t.strictSame(setCookies(response), [])
  t.strictSame(heard, [])
})

t.test('values of a session without login stay when somebody is remembered', async (t) => {
  const { user, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 14 })
  ann.close()
  await ann.can((request) => { Object.assign(request.session, { cart: ['pear'] }) })
  await ann.get('/members')
  t.match(claimsOf(ann.cookie('session')), { uid: 'ann', fresh: false, data: { cart: ['pear'] } })
})

t.test('the user is asked for before anything is renewed', async (t) => {
  let failing = false
  const people = new Map<unknown, object>([['ann', { id: 'ann' }]])
  const { user, visitor } = await site({
    userLoader: (id) => {
      if (failing) throw Object.assign(new Error('database down'), { statusCode: 503 })
      return people.get(id) ?? null
    }
  })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 14 })
  ann.close()
  const cookie = ann.cookie('_remember')

  failing = true
  t.match(await ann.get('/members'), { statusCode: 503, headers: { 'set-cookie': undefined } }, 'cannot be told')
  failing = false
  people.set('ann', { id: 'ann', isActive: false })
  t.match(await ann.get('/members'), { statusCode: 302, headers: { 'set-cookie': undefined } }, 'inactive')
  t.equal(ann.cookie('_remember'), cookie)
  people.delete('ann')
  const response = await ann.get('/members')
  t.equal(response.statusCode, 302, 'deleted')
  t.strictSame(setCookies(response), ['-_remember'])
})

t.test('parallel requests of a reopened browser are all let in', async (t) => {
  const { app, user, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 14 })
  const cookies = { _remember: ann.cookie('_remember')! }
  const responses = await Promise.all(Array.from({ length: 5 }, () => app.inject({ url: '/members', cookies })))
  t.strictSame(responses.map(({ body }) => body), Array(5).fill('Ann'))
  t.equal((await app.inject({ url: '/members', cookies })).body, 'Ann')
})

t.test('remembered is told of a remember cookie of this very user only', async (t) => {
  const { user, visitor } = await site()
  const [ann, bob] = [visitor(), visitor()]
  await ann.signIn(user('ann'))
  await bob.signIn(user('bob'), { remember: 14 })
  t.match(await bob.who(), { remembered: true })
  ann.jar.set('_remember', bob.jar.get('_remember')!)
  t.match(await ann.who(), { user: 'ann', remembered: false })
})

t.test('a remember cookie under an older secret is accepted, and comes back under the first', async (t) => {
  const before = await site({ secret: OTHER_SECRET })
  const { visitor } = await site({ clock: before.clock.read, secret: [SECRET, OTHER_SECRET] })
  const after = await site({ clock: before.clock.read, secret: SECRET })
  const [old, ann, late] = [before.visitor(), visitor(), after.visitor()]
  await old.signIn(before.user('ann'), { remember: 14 })
  for (const browser of [ann, late]) browser.jar.set('_remember', old.jar.get('_remember')!)
  t.match(await late.who(), { user: null })
  t.match(await ann.who(), { user: 'ann' })
  late.jar.set('_remember', ann.jar.get('_remember')!)
  t.match(await late.who(), { user: 'ann' })
})

t.test('the remember cookie is as hard to get at as the session\'s, and only it has a lifetime', async (t) => {
  const { app, user } = await site({ cookie: { sameSite: 'strict' }, remember: { cookie: { path: '/app' } } })
  app.post('/in', async (_request, reply) => reply.loginUser(user('ann'), { remember: 2 }))
  const { cookies } = await app.inject({ method: 'POST', url: '/in' })
  t.match(cookies, [
    {
      name: '_remember',
      path: '/app',
      httpOnly: true,
      sameSite: 'Strict',
      maxAge: 2 * DAY,
      secure: undefined,
      domain: undefined
    },
    {
      name: 'session',
      path: '/',
      httpOnly: true,
      sameSite: 'Strict',
      maxAge: undefined,
      expires: undefined,
      secure: undefined
    }
  ])
})

// Flask-Login F3: the days of an earlier login apply to the next one in the same session.
t.test('the days one user chose are not those of the next user in the same browser', async (t) => {
  const { user, clock, visitor } = await site()
  const browser = visitor()
  await browser.signIn(user('ann'), { remember: 7 })
  await browser.signOut()
  await browser.signIn(user('bob'), { remember: true })
  t.match(claimsOf(browser.cookie('_remember')), { uid: 'bob', days: 30, exp: START / 1000 + 30 * DAY })
  browser.close()
  clock.advance(DAY)
  await browser.get('/members')
  t.match(claimsOf(browser.cookie('_remember')), { uid: 'bob', days: 30, exp: START / 1000 + 31 * DAY })
})
