import t from 'tap'
import { setCookies } from '../support/browser.js'
import { DAY } from '../support/clock.js'
import { listen } from '../support/events.js'
import { site } from '../support/site.js'
import { claimsOf } from '../support/tokens.js'
import type { TestUser } from '../support/users.js'

const BOTH_CLEARED = ['-_remember', '-session']

t.test('a user who is gone is signed out with the next request: both cookies and every value', async (t) => {
  for (const answer of [null, undefined, Promise.resolve(null), Promise.resolve(undefined)]) {
    const { user, byId, visitor } = await site({ userLoader: (id) => byId.get(id) as TestUser ?? answer })
    const ann = visitor()
    await ann.signIn(user('ann'), { remember: 5 })
    await ann.can((request) => { Object.assign(request.session, { letters: ['dear Bob'] }) })
    byId.delete('ann')
    const response = await ann.get('/members')
    t.match(response, { statusCode: 302, headers: { location: '/login?next=%2Fmembers' } })
    t.strictSame(setCookies(response), BOTH_CLEARED)
    t.equal(ann.jar.size, 0)
  }
})

t.test('after a session whose user is gone, the remember cookie is not tried', async (t) => {
  const { user, byId, loads, visitor } = await site()
  const [ann, bob] = [visitor(), visitor()]
  await ann.signIn(user('ann'))
  await bob.signIn(user('bob'), { remember: 5 })
  ann.jar.set('_remember', bob.jar.get('_remember')!)
  byId.delete('ann')
  t.strictSame(await ann.who(), { user: null, kind: 'anonymous' })
  t.strictSame(loads, ['ann'])
  t.equal(ann.jar.size, 0)
})

t.test('a remembered user who is gone is not restored, and what the session holds of others stays out of it', async (t) => {
  const { app, user, byId, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 5 })
  ann.close()
  await ann.can((request) => { Object.assign(request.session, { cart: ['pear'] }) })
  byId.delete('ann')
  const heard = listen(app.login)
  t.strictSame(setCookies(await ann.get('/members')), ['-_remember'])
  t.match(claimsOf(ann.cookie('session')), { data: { cart: ['pear'] }, uid: undefined })
  t.strictSame(heard.map(({ event }) => event), ['unauthorized'])
})

t.test('the requestLoader is still asked after a session whose user is gone', async (t) => {
  const machine = { id: 'machine', name: 'Machine' }
  const { user, byId, visitor } = await site({ requestLoader: (request) => request.headers['x-key'] === 'good' ? machine : null })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 5 })
  byId.delete('ann')
  t.strictSame(await ann.who({ 'x-key': 'good' }), { user: 'machine', kind: 'request' })
  t.equal(ann.jar.size, 0)
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
      t.match(await ann.get('/members'), { statusCode: 500, headers: { 'set-cookie': undefined, location: undefined } }, `${how}, ${seconds}`)
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
    const { user, visitor } = await site({ userLoader: () => answer, requestLoader: (request) => 'x-key' in request.headers ? answer : null })
    const ann = visitor()
    await ann.signIn(user('ann'), { remember: 5 })
    answer = wrong as object
    for (const headers of [{}, { 'x-key': 'good' }]) {
      const browser = 'x-key' in headers ? visitor() : ann
      const response = await browser.get('/members', headers)
      t.match(response.json(), { statusCode: 500, code: 'FST_LOGIN_USER_WITHOUT_ID' }, JSON.stringify([typeof wrong, headers]))
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

t.test('a session that was deleted or made anew in the handler has no user any more', async (t) => {
  for (const end of ['delete', 'regenerate'] as const) {
    const { user, visitor } = await site()
    const ann = visitor()
    await ann.signIn(user('ann'), { remember: 5 })
    const response = await ann.can(async (request) => {
      await request.getCurrentUser()
      request.session[end]()
      t.equal(request.currentUser, null)
      t.equal(await request.getCurrentUser(), null)
    })
    t.strictSame(setCookies(response), BOTH_CLEARED, end)
    t.match(await ann.who(), { user: null })
  }
})
