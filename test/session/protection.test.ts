import { createHash } from 'node:crypto'
import t from 'tap'
import type { FastifyLoginOptions } from '../../src/index.js'
import { setCookies } from '../support/browser.js'
import { listen } from '../support/events.js'
import { site } from '../support/site.js'
import { claimsOf, OTHER_SECRET, SECRET } from '../support/tokens.js'

const HOME = { 'user-agent': 'Browser at home' }
const AWAY = { 'user-agent': 'Another machine' }

t.test('basic protection makes a login with another fingerprint stale, once, and takes nothing else', async (t) => {
  const { app, user, visitor } = await site({ sessionProtection: 'basic' })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 5 }, HOME)
  await ann.can((request) => { Object.assign(request.session, { cart: ['pear'] }) }, HOME)
  const { sid } = await ann.who(HOME)
  const heard = listen(app.login)
  const met = await ann.get('/members', AWAY)
  t.equal(met.body, 'Ann')
  t.strictSame(setCookies(met), ['session'])
  t.match(await ann.who(AWAY), { user: 'ann', kind: 'stale', sid, remembered: true })
  t.match(await ann.get('/fresh', AWAY), { statusCode: 302 })
  t.strictSame(setCookies(await ann.get('/members', AWAY)), [])
  t.strictSame(heard.map(({ event }) => event), ['protect', 'needsRefresh'])
  t.match(claimsOf(ann.cookie('session')), { data: { cart: ['pear'] } })
  await ann.can((_request, reply) => reply.confirmLogin(), AWAY)
  t.match(await ann.who(AWAY), { kind: 'fresh' })
})

t.test('strong protection ends a login with another fingerprint and what is remembered; values stay', async (t) => {
  const { app, user, visitor } = await site({ sessionProtection: 'strong' })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: 5 }, HOME)
  await ann.can((request) => { Object.assign(request.session, { cart: ['pear'] }) }, HOME)
  const heard = listen(app.login)
  const met = await ann.get('/members', AWAY)
  t.match(met, { statusCode: 302, headers: { location: '/login?next=%2Fmembers' } })
  t.strictSame(setCookies(met), ['-_remember', 'session'])
  t.match(claimsOf(ann.cookie('session')), { uid: undefined, sid: undefined, data: { cart: ['pear'] } })
  t.strictSame(await ann.who(HOME), { user: null, kind: 'anonymous' })
  t.strictSame(heard.map(({ event }) => event), ['protect', 'unauthorized'])
})

t.test('with sessionProtection false, the default, nothing is compared or kept', async (t) => {
  const never = () => { throw new Error('asked') }
  const { app, user, visitor } = await site({ sessionProtection: false, fingerprint: never })
  const heard = listen(app.login)
  const ann = visitor()
  await ann.signIn(user('ann'), {}, HOME)
  t.equal(claimsOf(ann.cookie('session')).fp, undefined)
  t.match(await ann.who(AWAY), { user: 'ann', kind: 'fresh' })
  t.strictSame(heard.map(({ event }) => event), ['login'])
})

t.test('the same fingerprint changes nothing, also where the browser names no User-Agent', async (t) => {
  for (const sessionProtection of ['basic', 'strong'] as const) {
    for (const headers of [HOME, { 'user-agent': '' }]) {
      const { user, visitor } = await site({ sessionProtection })
      const ann = visitor()
      await ann.signIn(user('ann'), {}, headers)
      t.strictSame(setCookies(await ann.get('/members', headers)), [])
      t.match(await ann.who(headers), { user: 'ann', kind: 'fresh' })
    }
  }
})

t.test('protection and remember-me work together, also on the second request and after a restart', async (t) => {
  for (const sessionProtection of ['basic', 'strong'] as const) {
    const { app, user, visitor } = await site({ sessionProtection })
    const heard = listen(app.login)
    const ann = visitor()
    await ann.signIn(user('ann'), { remember: 5 }, HOME)
    for (const headers of [HOME, AWAY]) {
      ann.close()
      for (const request of [1, 2, 3]) {
        t.match(
          await ann.who(headers),
          { user: 'ann', kind: 'stale', remembered: true },
          `${sessionProtection} ${request}`
        )
      }
      t.equal((await ann.get('/members', headers)).body, 'Ann')
    }
    t.strictSame(heard.map(({ event }) => event), ['login', 'restore', 'restore'])
    await ann.can((_request, reply) => reply.confirmLogin(), AWAY)
    t.match(await ann.who(AWAY), { kind: 'fresh' })
    t.match(await ann.who(HOME), sessionProtection === 'basic' ? { user: 'ann', kind: 'stale' } : { user: null })
  }
})

t.test('anonymous sessions are never protected', async (t) => {
  for (const sessionProtection of ['basic', 'strong'] as const) {
    const asked: string[] = []
    const { app, visitor } = await site({
      sessionProtection,
      fingerprint: (request) => {
        asked.push(request.url)
        return ''
      }
    })
    const heard = listen(app.login)
    const stranger = visitor()
    await stranger.can((request) => { Object.assign(request.session, { cart: ['pear'] }) }, HOME)
    t.strictSame(await stranger.who(AWAY), { user: null, kind: 'anonymous' })
    await stranger.can((request) => t.strictSame(request.session.data(), { cart: ['pear'] }), AWAY)
    t.strictSame([asked, heard], [[], []])
  }
})

t.test('the application may say what is compared; the value cannot be read in the cookie', async (t) => {
  const fingerprint: FastifyLoginOptions['fingerprint'] = (request) => String(request.headers['x-device'])
  const { user, visitor } = await site({ sessionProtection: 'strong', fingerprint })
  const ann = visitor()
  await ann.signIn(user('ann'), {}, { ...HOME, 'x-device': 'blue phone' })
  t.match(claimsOf(ann.cookie('session')).fp, /^[\w-]{22}$/)
  t.match(await ann.who({ ...AWAY, 'x-device': 'blue phone' }), { user: 'ann', kind: 'fresh' })
  t.match(await ann.who({ ...HOME, 'x-device': 'red phone' }), { user: null })
})

t.test('a fingerprint that throws or returns no string is an error there, never a pass or a logout', async (t) => {
  const broken = () => { throw new Error('no device') }
  for (const answer of [undefined, null, 7, {}, Promise.resolve('blue phone'), broken]) {
    let failing = false
    const fails = () => typeof answer === 'function' ? answer() : answer as unknown as string
    const { user, visitor } = await site({
      sessionProtection: 'strong', fingerprint: () => failing ? fails() : 'blue phone'
    })
    const [ann, reopened] = [visitor(), visitor()]
    for (const browser of [ann, reopened]) await browser.signIn(user('ann'), { remember: 5 })
    reopened.close()
    failing = true
    for (const browser of [ann, reopened]) {
      const response = await browser.get('/members')
      t.match(response, { statusCode: 500, headers: { 'set-cookie': undefined } }, String(answer))
      t.equal(response.json().code, typeof answer === 'function' ? undefined : 'FST_LOGIN_INVALID_OPTIONS')
    }
    for (const call of ['signIn', 'confirm']) {
      const response = await (call === 'signIn'
        ? ann.signIn(user('bob'))
        : ann.does((_request, reply) => reply.confirmLogin(user('ann') as object)))
      t.match(response, { statusCode: 500, headers: { 'set-cookie': undefined } }, call)
    }
    failing = false
    for (const browser of [ann, reopened]) t.match(await browser.who(), { user: 'ann' })
  }
})

t.test('a fingerprint under an older secret counts, and is renewed with the next write', async (t) => {
  const before = await site({ secret: OTHER_SECRET, sessionProtection: 'strong' })
  const { clock, ...options } = { clock: before.clock, sessionProtection: 'strong' as const }
  const rotated = await site({ ...options, clock: clock.read, secret: [SECRET, OTHER_SECRET] })
  const after = await site({ ...options, clock: clock.read })
  const [old, ann, late] = [before.visitor(), rotated.visitor(), after.visitor()]
  await old.signIn(before.user('ann'), {}, HOME)
  ann.jar.set('session', old.jar.get('session')!)
  t.strictSame(setCookies(await ann.get('/members', HOME)), [])
  await ann.can(async (request) => {
    await request.getCurrentUser()
    request.session.touch()
  }, HOME)
  late.jar.set('session', ann.jar.get('session')!)
  t.match(await late.who(HOME), { user: 'ann', kind: 'fresh' })
  t.match(await late.who(AWAY), { user: null })
})

t.test('once sessionProtection is on, logins from before count as changed', async (t) => {
  for (const [sessionProtection, expected] of [
    ['basic', { user: 'ann', kind: 'stale' }], ['strong', { user: null }]
  ] as const) {
    const before = await site()
    const { app, visitor } = await site({ clock: before.clock.read, sessionProtection })
    const heard = listen(app.login)
    const [old, ann] = [before.visitor(), visitor()]
    await old.signIn(before.user('ann'), {}, HOME)
    ann.jar.set('session', old.jar.get('session')!)
    for (const request of [1, 2]) t.match(await ann.who(HOME), expected, `${sessionProtection} ${request}`)
    t.strictSame(heard.map(({ event }) => event), ['protect'])
  }
})

// Flask-Login F18: the fingerprint is an unsalted hash in a cookie anybody can read.
t.test('the fingerprint in the cookie is no hash of the User-Agent, and another under another secret', async (t) => {
  const agent = 'Mozilla/5.0'
  const found = await Promise.all([SECRET, OTHER_SECRET].map(async (secret) => {
    const { user, visitor } = await site({ secret, sessionProtection: 'basic' })
    const ann = visitor()
    await ann.signIn(user('ann'), {}, { 'user-agent': agent })
    return String(claimsOf(ann.cookie('session')).fp)
  }))
  t.not(found[0], found[1])
  for (const hash of ['md5', 'sha1', 'sha256', 'sha512']) {
    t.notOk(createHash(hash).update(agent).digest('base64url').includes(found[0]!), hash)
  }
})
