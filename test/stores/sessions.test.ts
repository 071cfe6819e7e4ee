import { createRequire } from 'node:module'
import Fastify from 'fastify'
import type { FastifyPluginCallback } from 'fastify'
import t from 'tap'
import fastifyLogin from '../../src/index.js'
import { memoryStore } from '../../src/stores/memory.js'
import { Browser, setCookies } from '../support/browser.js'
import { Clock, DAY, START } from '../support/clock.js'
import { furnish, site } from '../support/site.js'
import { SECRET } from '../support/tokens.js'
import { people } from '../support/users.js'
import { comeBack, copyAt, sidOf, siteOverStore } from '../support/stores/over-store.js'

const MINUTE = 60_000

// Its types declare another request.session for the whole program.
const secureSession = createRequire(import.meta.url)(
  '@fastify/secure-session'
) as FastifyPluginCallback<{ key: Buffer, cookie: object }>

t.test('a login leaves a record that says who, when, with what and for how long', async (t) => {
  const { app, clock, user, visitor } = await siteOverStore({ session: { idleSeconds: 600 } }, [
    { id: 7, name: 'Seven' }, { id: '7', name: 'Text' }
  ])
  clock.advance(7)
  const now = START + 7000
  const laptop = visitor()
  const phone = visitor()
  await laptop.signIn(user(7), {}, { 'user-agent': 'Firefox on Linux' })
  await phone.signIn(user('7'), { remember: 3 }, { 'user-agent': 'x'.repeat(600) })
  t.strictSame(await app.login.list(7), [{
    area: 'session', sid: sidOf(laptop), userId: 7, createdAt: now, lastSeenAt: now, expiresAt: now + 600_000 + MINUTE, userAgent: 'Firefox on Linux', remember: false
  }])
  t.strictSame(await app.login.list('7'), [{
    area: 'session', sid: sidOf(phone), userId: '7', createdAt: now, lastSeenAt: now, expiresAt: now + 3 * DAY * 1000, userAgent: 'x'.repeat(512), remember: true
  }])
})

t.test('cookies minted for tests come with a record, and end with it', async (t) => {
  const { app, user, visitor } = await siteOverStore()
  const minted = await app.login.cookiesFor(user('ann'), { remember: 5, headers: {} })
  t.match(await app.login.list('ann'), [{ remember: true, userAgent: null, createdAt: START }])
  const ann = visitor()
  ann.keep(minted)
  t.match(await ann.who(), { user: 'ann', kind: 'fresh', remembered: true })
  ann.jar.delete('session')
  t.match(await ann.who(), { user: 'ann', kind: 'stale' })
  await app.login.revokeAll('ann')
  t.match(await ann.who(), { user: null })
})

t.test('a session whose record is gone is anonymous, and both its cookies are cleared', async (t) => {
  for (const page of ['/who', '/members', '/fresh']) {
    const { user, visitor, faults, told } = await siteOverStore()
    const ann = visitor()
    const elsewhere = visitor()
    await elsewhere.signIn(user('ann'))
    await ann.signIn(user('ann'), { remember: true })
    await ann.does((request) => { Object.assign(request.session, { letters: ['for Ann only'] }) })
    told()
    await faults.store.delete({ area: 'session', userId: 'ann' }, sidOf(ann), START)
    const response = await ann.get(page)
    t.strictSame(setCookies(response), ['-_remember', '-session'], page)
    t.equal(response.statusCode, page === '/who' ? 200 : 302)
    t.notOk(response.body.includes('ann'))
    t.strictSame(
      told().map(({ event }) => event),
      page === '/who' ? [] : ['unauthorized'],
      'the remember cookie is not tried'
    )
    t.strictSame(setCookies(await ann.get(page)), [])
    t.match(await elsewhere.who(), { user: 'ann' })
  }
})

t.test('logins from before the store was there have no record', async (t) => {
  const before = await site()
  const ann = before.visitor()
  await ann.signIn(before.user('ann'), { remember: true })
  const { copyOf } = await siteOverStore()
  t.match(await copyOf(ann).who(), { user: null })
  ann.close()
  const back = copyOf(ann)
  t.strictSame(setCookies(await back.get('/who')), ['-_remember'])
  t.match(await back.who(), { user: null })
})

t.test('signing in again in the same browser replaces its own record, whosever that was', async (t) => {
  const { user, visitor, copyOf, sids, clock, told } = await siteOverStore({ session: { idleSeconds: 600 } })
  const laptop = visitor()
  const phone = visitor()
  await phone.signIn(user('ann'))
  await laptop.signIn(user('ann'), { remember: true })
  const first = copyOf(laptop)
  await laptop.signIn(user('ann'), { remember: true })
  t.strictSame(new Set(await sids('ann')), new Set([sidOf(phone), sidOf(laptop)]))
  t.match(await first.who(), { user: null }, 'what was copied before is worth nothing')

  clock.advance(661)
  await laptop.signIn(user('ann'), { remember: 9 })
  t.strictSame(await sids('ann'), [sidOf(laptop)], 'the session had expired, the remember cookie named the login')
  await laptop.signIn(user('bob'))
  t.strictSame([await sids('ann'), await sids('bob')], [[], [sidOf(laptop)]])
  t.notOk(told().some(({ event }) => event === 'revoke'), 'nothing is told of what replaces itself')
})

t.test('each request asks the store once, however often the user is asked for', async (t) => {
  const { app, user, visitor, faults } = await siteOverStore()
  app.get('/twice', { onRequest: app.login.guard(), preHandler: app.login.guardFresh() }, async (request) =>
    [await request.getCurrentUser(), request.currentUser, request.requireUser()].length)
  const ann = visitor()
  await ann.signIn(user('ann'))
  faults.count('find')
  t.equal((await ann.get('/twice')).body, '3')
  t.equal(faults.count('find'), 1)
  await ann.get('/public')
  t.equal(faults.calls.length, 0, 'a route that never asks for the user asks no store')
  await ann.get('/twice')
  t.equal(faults.count('find'), 1)
})

t.test('storeCheckSeconds is how long a positive answer is used again, by the clock', async (t) => {
  const { user, visitor, copyOf, faults, clock, sids } = await siteOverStore({ storeCheckSeconds: 30 })
  const ann = visitor()
  await ann.signIn(user('ann'))
  const steps: [advance: number, asked: number][] = [
    [0, 1], [10, 0], [19.999, 0], [0.001, 1], [29.999, 0], [-100, 1], [29, 0], [200, 1]
  ]
  faults.count('find')
  for (const [advance, asked] of steps) {
    clock.advance(advance)
    t.match(await ann.who(), { user: 'ann' })
    t.equal(faults.count('find'), asked, `after ${advance} more seconds`)
  }
  const phone = visitor()
  await phone.signIn(user('ann'))
  faults.count('find')
  await phone.who()
  t.equal(faults.count('find'), 1, 'of one login nothing follows for another')

  await faults.store.delete({ area: 'session', userId: 'ann' }, (await sids('ann')).find((sid) => sid !== sidOf(phone))!, clock.now)
  clock.advance(31)
  const copies = [copyOf(ann), copyOf(ann)]
  faults.count('find')
  for (const copy of copies) t.match(await copy.who(), { user: null })
  t.equal(faults.count('find'), 2, 'that a login is gone is asked each time')
})

t.test('what ended here is over here at once, and elsewhere within storeCheckSeconds', async (t) => {
  const endings: { [name: string]: (here: Awaited<ReturnType<typeof siteOverStore>>, ann: Browser) => unknown } = {
    revoke: ({ app }, ann) => app.login.revoke('ann', sidOf(ann)),
    revokeAll: ({ app }) => app.login.revokeAll('ann'),
    'logout of a copy': ({ copyOf }, ann) => copyOf(ann).signOut(),
    'logout everywhere': async ({ user, visitor }) => {
      const phone = visitor()
      await phone.signIn(user('ann'))
      return phone.does((_request, reply) => reply.logoutUser({ scope: 'everywhere' }))
    },
    'session.delete() of a copy': ({ copyOf }, ann) => copyOf(ann).does((request) => request.session.delete()),
    'one login too many': async ({ user, visitor, clock }) => {
      clock.advance(1)
      for (let count = 0; count < 3; count++) await visitor().signIn(user('ann'))
      clock.advance(-1)
    },
    reuse: async ({ copyOf, clock, user, visitor }) => {
      const honest = visitor()
      await honest.signIn(user('ann'), { remember: true })
      const thief = copyOf(honest)
      await comeBack(honest)
      await comeBack(honest)
      clock.advance(21)
      await comeBack(thief)
      clock.advance(-21)
    }
  }
  for (const [name, end] of Object.entries(endings)) {
    const here = await siteOverStore({ storeCheckSeconds: 30, maxLogins: 3 })
    const there = await site({ store: here.faults.store, storeCheckSeconds: 30, clock: here.clock.read })
    const ann = here.visitor()
    await ann.signIn(here.user('ann'), { remember: true })
    const elsewhere = copyAt(there.app, ann)
    t.strictSame([(await ann.who()).user, (await elsewhere.who()).user], ['ann', 'ann'])
    here.clock.advance(9)
    await end(here, ann)
    t.match(await here.copyOf(ann).who(), { user: null }, `${name}: here at once`)
    here.clock.advance(21)
    t.match(await copyAt(there.app, elsewhere).who(), { user: null }, `${name}: there after 30 seconds`)
  }
})

t.test('after a revocation and a check at once, whichever is slow, the next request sees the end', async (t) => {
  const { app, user, visitor, faults, clock } = await siteOverStore({ storeCheckSeconds: 30 })
  const [laptop, phone] = [visitor(), visitor()]
  for (const browser of [laptop, phone]) await browser.signIn(user('ann'))

  const slowRevocation = faults.hold('delete')
  const revoked = app.login.revoke('ann', sidOf(laptop))
  await slowRevocation.reached
  t.match(await laptop.who(), { user: 'ann' }, 'not ended yet')
  slowRevocation.release()
  t.equal(await revoked, true)
  t.match(await laptop.who(), { user: null })

  clock.advance(60)
  const slowCheck = faults.hold('touch')
  const checked = phone.who()
  await slowCheck.reached
  t.equal(await app.login.revoke('ann', sidOf(phone)), true)
  slowCheck.release()
  t.match(await checked, { user: 'ann' }, 'found before it ended')
  t.match(await phone.who(), { user: null })
})

t.test('the record says when the login was last seen, written at most once a minute', async (t) => {
  const { app, user, visitor, faults, clock } = await siteOverStore({ session: { idleSeconds: 600 } })
  const ann = visitor()
  await ann.signIn(user('ann'))
  faults.count('touch')
  const steps: [advance: number, written: number, seen: number][] = [
    [59.999, 0, 0], [0.001, 1, 60], [0, 0, 60], [59, 0, 60], [90, 1, 209], [1, 0, 209]
  ]
  for (const [advance, written, seen] of steps) {
    clock.advance(advance)
    await ann.get('/members')
    t.equal(faults.count('touch'), written)
    t.match(await app.login.list('ann'), [{
      createdAt: START, lastSeenAt: START + seen * 1000, expiresAt: START + (seen + 660) * 1000
    }])
  }

  const phone = visitor()
  await phone.signIn(user('bob'), { remember: 2 })
  clock.advance(61)
  await phone.who()
  t.match(
    await app.login.list('bob'),
    [{ lastSeenAt: clock.now, expiresAt: clock.now + 2 * DAY * 1000 - 61_000 }],
    'expiry never moves back'
  )
})

t.test('a login ends when its session does, and while in use it does not', async (t) => {
  for (const storeCheckSeconds of [0, 45, 3600]) {
    const { user, visitor, copyOf, clock, sids } = await siteOverStore({
      session: { idleSeconds: 600, absoluteSeconds: DAY }, storeCheckSeconds
    })
    const ann = visitor()
    await ann.signIn(user('ann'))
    for (let step = 0; step < 24; step++) {
      clock.advance([599, 301, 450][step % 3]!)
      t.match(await ann.who(), { user: 'ann' }, `in use, with storeCheckSeconds ${storeCheckSeconds}`)
    }
    clock.advance(600)
    t.match(await copyOf(ann).who(), { user: null })
    clock.advance(60 + storeCheckSeconds)
    t.strictSame(await sids('ann'), [])
  }
})

t.test('a remembered login is there as long as its cookie', async (t) => {
  const { user, visitor, clock, sids } = await siteOverStore({
    session: { idleSeconds: 600 }, remember: { renew: false }
  })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 2 })
  clock.advance(2 * DAY - 1)
  t.strictSame(await sids('ann'), [sidOf(ann, '_remember')])
  t.match(await ann.who(), { user: 'ann', kind: 'stale' })
  clock.advance(599)
  t.match(await ann.who(), { user: 'ann' }, 'the session goes on for its own time')
  clock.advance(660)
  t.strictSame([(await ann.who()).user, await sids('ann')], [null, []])
})

t.test('the user is looked for after the record, and without the user the record goes too', async (t) => {
  const endings: { [name: string]: (users: Map<unknown, { password?: string }>) => void } = {
    'deleted user': (users) => users.delete('ann'),
    'changed stamp': (users) => { users.get('ann')!.password = 'new' }
  }
  for (const [name, change] of Object.entries(endings)) {
    for (const restart of [false, true]) {
      const { byId, user, visitor, sids, loads } = await siteOverStore({
        userStamp: (user) => (user as { password?: string }).password ?? 'none'
      })
      const [ann, phone] = [visitor(), visitor()]
      for (const browser of [ann, phone]) await browser.signIn(user('ann'), { remember: true })
      loads.length = 0
      change(byId)
      if (restart) ann.close()
      t.strictSame(setCookies(await ann.get('/who')), restart ? ['-_remember'] : ['-_remember', '-session'], name)
      t.strictSame(await sids('ann'), [sidOf(phone)])
      t.strictSame(loads, ['ann'])
    }
  }

  const { app, user, visitor, loads } = await siteOverStore()
  const ann = visitor()
  await ann.signIn(user('ann'))
  await app.login.revokeAll('ann')
  await ann.who()
  t.strictSame(loads, [], 'nobody is loaded for a login that has ended')
})

t.test('strong protection ends the record with the login', async (t) => {
  const { user, visitor, copyOf, sids, told } = await siteOverStore({ sessionProtection: 'strong' })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: true }, { 'user-agent': 'Firefox' })
  const copy = copyOf(ann)
  const sid = sidOf(ann)
  told()
  t.match(await ann.who({ 'user-agent': 'curl' }), { user: null })
  t.strictSame(told(), [{ event: 'protect', user: user('ann'), userId: 'ann', sid, mode: 'strong' }])
  t.strictSame(await sids('ann'), [])
  t.match(await copy.who({ 'user-agent': 'Firefox' }), { user: null })
})

t.test('a login that was ended cannot be confirmed', async (t) => {
  const { app, user, visitor, told } = await siteOverStore()
  for (const [changed, cookies] of [[undefined, ['-session']], [{ id: 'ann', name: 'Ann' }, []]] as const) {
    const ann = visitor()
    await ann.signIn(user('ann'), { fresh: false })
    await app.login.revoke('ann', sidOf(ann))
    told()
    const response = await ann.does((_request, reply) => reply.confirmLogin(changed))
    t.match(response, { statusCode: 401 })
    t.equal(response.json().code, 'FST_LOGIN_UNAUTHORIZED')
    t.strictSame(told(), [])
    t.strictSame(setCookies(response), cookies)
    t.match(await ann.who(), { user: null })
  }
})

t.test('every user is checked with the store, also loaded eagerly and in another plugin\'s session', async (t) => {
  const eager = await siteOverStore({ loadUser: 'eager' })
  const ann = eager.visitor()
  await ann.signIn(eager.user('ann'), { remember: true })
  t.equal(await comeBack(ann), 'ann')
  await eager.app.login.revokeAll('ann')
  t.strictSame(setCookies(await ann.get('/public')), ['-_remember', '-session'])

  const app = Fastify()
  const clock = new Clock()
  const store = memoryStore()
  const { byId, userLoader } = people()
  await app.register(secureSession, { key: Buffer.alloc(32, 7), cookie: { path: '/' } })
  await app.register(fastifyLogin, { secret: SECRET, session: 'external', userLoader, store, clock: clock.read })
  furnish(app)
  const browser = new Browser(app)
  await browser.signIn(byId.get('ann')!, { remember: 4 })
  t.match(
    await app.login.list('ann'),
    [{ expiresAt: START + 30 * DAY * 1000 + MINUTE, remember: true }],
    'how long that session lasts is not known'
  )
  browser.jar.delete('session')
  t.match(await browser.who(), { user: 'ann', kind: 'stale' })
  t.match(await browser.who(), { user: 'ann', kind: 'stale' })
  await app.login.revokeAll('ann')
  t.match(await browser.who(), { user: null })
  t.equal(browser.cookie('_remember'), undefined)
})
