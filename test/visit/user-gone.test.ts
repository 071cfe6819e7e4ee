import t from 'tap'
import { setCookies } from '../support/browser.js'
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

t.test('a remembered user who is gone is not restored, and the values of the session stay', async (t) => {
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
  const { user, byId, visitor } = await site({
    requestLoader: (request) => request.headers['x-key'] === 'good' ? machine : null
  })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 5 })
  byId.delete('ann')
  t.strictSame(await ann.who({ 'x-key': 'good' }), { user: 'machine', kind: 'request' })
  t.equal(ann.jar.size, 0)
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
