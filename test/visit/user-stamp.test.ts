import t from 'tap'
import type { LoginUser } from 'fastify'
import { setCookies } from '../support/browser.js'
import { DAY, START } from '../support/clock.js'
import { site } from '../support/site.js'
import { claimsOf, OTHER_SECRET, SECRET } from '../support/tokens.js'
import { people } from '../support/users.js'
import type { TestUser } from '../support/users.js'

const userStamp = (user: LoginUser) => (user as TestUser).password!
const accounts = () => [{ id: 'ann', name: 'Ann', password: 'hash 1' }, { id: 'bob', name: 'Bob', password: 'hash 1' }]
const BOTH_CLEARED = ['-_remember', '-session']

t.test('a changed password ends every session and remember cookie of that user, and of nobody else', async (t) => {
  const { user, visitor } = await site({ userStamp }, accounts())
  const [ann, reopened, bob] = [visitor(), visitor(), visitor()]
  await ann.signIn(user('ann'), { remember: 5 })
  await reopened.signIn(user('ann'), { remember: 5 })
  await bob.signIn(user('bob'))
  reopened.close()
  user('ann').password = 'hash 2'
  t.strictSame(setCookies(await ann.get('/members')), BOTH_CLEARED)
  t.strictSame(setCookies(await reopened.get('/members')), ['-_remember'])
  for (const browser of [ann, reopened]) t.match(await browser.who(), { user: null, kind: 'anonymous' })
  t.match(await bob.who(), { user: 'bob' })
})

t.test('the stamp cannot be read in the cookies, and is another under another secret', async (t) => {
  const stamps = await Promise.all([SECRET, OTHER_SECRET].map(async (secret) => {
    const { user, visitor } = await site({ secret, userStamp }, accounts())
    const ann = visitor()
    await ann.signIn(user('ann'), { remember: 5 })
    const [session, remember] = ['session', '_remember'].map((name) => claimsOf(ann.cookie(name)).stamp)
    t.equal(session, remember)
    t.match(session, /^[\w-]{22}$/)
    return session
  }))
  t.not(stamps[0], stamps[1])
})

t.test('who changes the own password stays signed in and remembered, with the same end', async (t) => {
  const { user, clock, visitor } = await site({ userStamp, session: { idleSeconds: 3 * DAY } }, accounts())
  for (const [remembered, guarded] of [[true, true], [false, true], [true, false]] as const) {
    const [ann, elsewhere] = [visitor(), visitor()]
    await ann.signIn(user('ann'), remembered ? { remember: 5 } : {})
    await elsewhere.signIn(user('ann'), { remember: 5 })
    const before = [claimsOf(ann.cookie('session')), ...remembered ? [claimsOf(ann.cookie('_remember'))] : []]
    clock.advance(DAY)
    const response = await ann.can(async (request, reply) => {
      if (guarded) await request.getCurrentUser()
      user('ann').password += '!'
      const changed = { ...user('ann') }
      await reply.confirmLogin(changed as LoginUser)
      t.equal(request.currentUser, changed)
    })
    t.strictSame(setCookies(response), remembered ? ['_remember', 'session'] : ['session'])
    if (remembered) {
      const { stamp, ...claims } = claimsOf(ann.cookie('_remember'))
      const { stamp: old, ...same } = before[1]!
      t.strictSame(claims, same)
      t.not(stamp, old)
      t.equal(ann.jar.get('_remember')?.maxAge, 4 * DAY)
    }
    t.match(await ann.who(), { user: 'ann', kind: 'fresh', sid: before[0]!.sid, remembered })
    if (remembered) {
      ann.close()
      t.match(await ann.who(), { user: 'ann', kind: 'stale', remembered })
    }
    t.match(await elsewhere.who(), { user: null })
  }
})

t.test('confirming rewrites the remember cookie only where it is this user\'s and the stamp has changed', async (t) => {
  const { user, visitor } = await site({ userStamp }, accounts())
  const [ann, bob] = [visitor(), visitor()]
  await ann.signIn(user('ann'), { remember: 5 })
  t.strictSame(setCookies(await ann.does((_request, reply) => reply.confirmLogin())), ['session'], 'the same stamp')
  user('bob').password = 'hash 7'
  await bob.signIn(user('bob'), { remember: 5 })
  ann.jar.set('_remember', bob.jar.get('_remember')!)
  t.strictSame(setCookies(await ann.does((_request, reply) => reply.confirmLogin())), ['session'], 'somebody else\'s')
})

t.test('loginUser right after the change keeps the own browser signed in, as asked', async (t) => {
  const { user, visitor } = await site({ userStamp }, accounts())
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 5 })
  await ann.can(async (request, reply) => {
    await request.getCurrentUser()
    user('ann').password = 'hash 2'
    await reply.loginUser(user('ann') as LoginUser, { remember: 9, redirectUrl: false })
  })
  t.match(await ann.who(), { user: 'ann', kind: 'fresh', remembered: true })
  ann.close()
  t.match(await ann.who(), { user: 'ann', kind: 'stale' })
})

t.test('a change without confirmLogin signs the own browser out as well', async (t) => {
  const { user, visitor } = await site({ userStamp }, accounts())
  const ann = visitor()
  await ann.signIn(user('ann'))
  const response = await ann.can(async (request) => {
    await request.getCurrentUser()
    user('ann').password = 'hash 2'
  })
  t.strictSame(setCookies(response), [])
  t.match(await ann.who(), { user: null })
})

t.test('a userStamp that throws or returns no string is an error at that request, and no cookie changes', async (t) => {
  const answers = [undefined, null, 7, {}, true, () => { throw new Error('no hash') }]
  for (const answer of answers) {
    let failing = false
    const fails = () => typeof answer === 'function' ? answer() : answer as unknown as string
    const { user, visitor } = await site({ userStamp: (user) => failing ? fails() : userStamp(user) }, accounts())
    const [ann, reopened] = [visitor(), visitor()]
    for (const browser of [ann, reopened]) await browser.signIn(user('ann'), { remember: 5 })
    reopened.close()
    failing = true
    for (const browser of [ann, reopened]) {
      const response = await browser.get('/members')
      t.match(response, { statusCode: 500, headers: { 'set-cookie': undefined } }, String(answer))
      t.equal(response.json().code, typeof answer === 'function' ? undefined : 'FST_LOGIN_INVALID_OPTIONS')
    }
    t.match(
      await visitor().signIn(user('ann')),
      { statusCode: 500, headers: { 'set-cookie': undefined } },
      String(answer)
    )
    failing = false
    for (const browser of [ann, reopened]) t.match(await browser.who(), { user: 'ann' })
  }
})

t.test('a stamp under an older secret counts, and is renewed with the next write', async (t) => {
  const before = await site({ secret: OTHER_SECRET, userStamp }, accounts())
  const rotated = await site({ clock: before.clock.read, secret: [SECRET, OTHER_SECRET], userStamp }, accounts())
  const after = await site({ clock: before.clock.read, secret: SECRET, userStamp }, accounts())
  const [old, ann, late] = [before.visitor(), rotated.visitor(), after.visitor()]
  await old.signIn(before.user('ann'), { remember: 5 })
  for (const [name, cookie] of old.jar) ann.jar.set(name, cookie)

  t.strictSame(setCookies(await ann.get('/members')), [], 'nothing is written for that alone')
  await ann.can(async (request) => {
    await request.getCurrentUser()
    Object.assign(request.session, { cart: ['pear'] })
  })
  t.not(claimsOf(ann.cookie('session')).stamp, claimsOf(old.cookie('session')).stamp)
  ann.jar.delete('session')
  await ann.get('/members')
  for (const name of ['session', '_remember']) {
    late.jar.clear()
    late.jar.set(name, ann.jar.get(name)!)
    t.match(await late.who(), { user: 'ann' }, name)
  }
  rotated.user('ann').password = 'hash 2'
  t.strictSame(setCookies(await ann.get('/members')), BOTH_CLEARED)
})

t.test('once userStamp is there, logins from before count as changed', async (t) => {
  const { byId, userLoader } = people(...accounts())
  const before = await site({ userLoader })
  const { visitor } = await site({ clock: before.clock.read, userLoader, userStamp })
  const [old, ann] = [before.visitor(), visitor()]
  await old.signIn(byId.get('ann')!, { remember: 5 })
  for (const [name, cookie] of old.jar) ann.jar.set(name, cookie)
  t.strictSame(setCookies(await ann.get('/members')), BOTH_CLEARED)
  ann.jar.set('_remember', old.jar.get('_remember')!)
  t.strictSame(setCookies(await ann.get('/members')), ['-_remember'])
  await ann.signIn(byId.get('ann')!)
  t.match(await ann.who(), { user: 'ann', authTime: START / 1000 })
})

t.test('once userStamp is gone again, stamps are ignored, and dropped with the next write of the login', async (t) => {
  const { byId, userLoader } = people(...accounts())
  const before = await site({ userLoader, userStamp })
  const { visitor } = await site({ clock: before.clock.read, userLoader })
  const [old, ann] = [before.visitor(), visitor()]
  await old.signIn(byId.get('ann')!, { remember: 5 })
  for (const [name, cookie] of old.jar) ann.jar.set(name, cookie)
  byId.get('ann')!.password = 'hash 2'
  t.match(await ann.who(), { user: 'ann' })
  await ann.can((_request, reply) => reply.confirmLogin())
  t.equal(claimsOf(ann.cookie('session')).stamp, undefined)
})
