import t from 'tap'
import type { LoginUser } from 'fastify'
import type { CookiesForOptions } from '../../src/index.js'
import { build } from '../support/app.js'
import { setCookies } from '../support/browser.js'
import { DAY, START } from '../support/clock.js'
import { listen } from '../support/events.js'
import { site } from '../support/site.js'
import { claimsOf } from '../support/tokens.js'
import type { TestUser } from '../support/users.js'

const now = START / 1000
const userStamp = (user: LoginUser) => (user as TestUser).password!
const ann = { id: 'ann', name: 'Ann', password: 'hash 1' }

t.test('minted cookies say what a login would have said', async (t) => {
  const names = { session: { cookieName: 'sitting', idleSeconds: 700 }, remember: { cookieName: 'stay', days: 12 } }
  const options = { userStamp, sessionProtection: 'strong', ...names } as const
  for (const remember of [undefined, false, true, 5]) {
    const { app, user, visitor } = await site(options, [ann])
    const browser = visitor()
    await browser.signIn(user('ann'), remember === undefined ? {} : { remember })
    const cookies = await app.login.cookiesFor(user('ann'), remember === undefined ? {} : { remember })
    t.strictSame(Object.keys(cookies), remember ? ['sitting', 'stay'] : ['sitting'])
    for (const [name, value] of Object.entries(cookies)) {
      const { sid, ...minted } = claimsOf(value)
      const { sid: other, ...real } = claimsOf(browser.cookie(name))
      t.strictSame(minted, real, name)
      t.not(sid, other)
      t.equal(sid, claimsOf(cookies.sitting).sid)
    }
  }
})

t.test('minted cookies pass guards with inject, protection and stamp included', async (t) => {
  const { app, user } = await site({ sessionProtection: 'strong', userStamp }, [ann])
  const inject = async (url: string, options: CookiesForOptions, headers = {}) => {
    const { statusCode } = await app.inject({ url, headers, cookies: await app.login.cookiesFor(user('ann'), options) })
    return statusCode
  }
  t.equal(await inject('/members', {}), 200)
  t.equal(await inject('/fresh', {}), 200)
  t.equal(await inject('/fresh', { fresh: false }), 302)
  t.equal(await inject('/members', { fresh: false }), 200)
  t.equal(await inject('/members', { headers: { 'User-Agent': 'Firefox' } }, { 'user-agent': 'Firefox' }), 200)
  t.equal(await inject('/members', { headers: { 'User-Agent': 'Firefox' } }), 302)
  t.equal(await inject('/members', {}, { 'user-agent': 'Firefox' }), 302)
})

t.test('minted cookies carry the authTime, data and remember asked for', async (t) => {
  const { app, user, clock, visitor } = await site({}, [ann])
  app.get('/recent', { preHandler: app.login.guardFresh({ maxAgeSeconds: 60 }) }, async () => 'recent')
  const browser = visitor()
  const wear = async (options: CookiesForOptions) => {
    browser.jar.clear()
    browser.keep(await app.login.cookiesFor(user('ann'), options))
  }
  for (const [age, statusCode] of [[60, 200], [61, 302], [-1, 302]] as const) {
    await wear({ authTime: now - age })
    t.equal((await browser.get('/recent')).statusCode, statusCode, `${age} s ago`)
  }
  await wear({
    data: { cart: ['pear'], exp: 0, ['__proto__']: 'just a key' }, remember: 5, authTime: now - 999, fresh: false
  })
  const values = [['cart', ['pear']], ['exp', 0], ['__proto__', 'just a key']]
  await browser.can((request) => t.strictSame(Object.entries({ ...request.session.data() }), values))
  t.match(await browser.who(), { user: 'ann', kind: 'stale', authTime: now - 999, remembered: true })
  clock.advance(2 * DAY)
  browser.jar.delete('session')
  t.match(await browser.who(), { user: 'ann', kind: 'stale', authTime: now - 999, remembered: true })
  t.match(claimsOf(browser.cookie('_remember')), { days: 5 })
})

t.test('minting is no login: nothing is told, and the user object is not touched', async (t) => {
  const { app } = await site()
  const heard = listen(app.login)
  const user = Object.freeze({ id: 0 })
  const { session } = await app.login.cookiesFor(user as LoginUser)
  t.strictSame(heard, [])
  t.equal(claimsOf(session).uid, 0)
})

t.test('minting refuses misspelt and wrong arguments by name', async (t) => {
  const { app } = await site()
  const user = { id: 'ann' } as LoginUser
  const cases: [() => Promise<unknown>, string][] = [
    [() => app.login.cookiesFor({} as LoginUser), 'FST_LOGIN_USER_WITHOUT_ID'],
    [() => app.login.cookiesFor(user, { remember: 0 }), 'FST_LOGIN_INVALID_REMEMBER'],
    [() => app.login.cookiesFor(user, { remember: 'on' as never }), 'FST_LOGIN_INVALID_REMEMBER'],
    [() => app.login.cookiesFor(user, { authTime: 1.5 }), 'FST_LOGIN_INVALID_OPTIONS'],
    [() => app.login.cookiesFor(user, { fresh: 'no' as never }), 'FST_LOGIN_INVALID_OPTIONS'],
    [() => app.login.cookiesFor(user, { authtime: 5 } as never), 'FST_LOGIN_INVALID_OPTIONS'],
    [() => app.login.cookiesFor(user, { data: 'text' as never }), 'FST_LOGIN_INVALID_OPTIONS'],
    [() => app.login.cookiesFor(user, { data: { book: 'x'.repeat(5000) } }), 'FST_LOGIN_COOKIE_TOO_LARGE']
  ]
  for (const [mint, code] of cases) await t.rejects(mint(), { code })
})

t.test('a user who may not be logged in can be minted, and is let in nowhere', async (t) => {
  const { app, user } = await site({}, [{ ...ann, isActive: false }])
  const response = await app.inject({ url: '/members', cookies: await app.login.cookiesFor(user('ann')) })
  t.equal(response.statusCode, 302)
  t.strictSame(setCookies(response), [])
})

t.test('a login made without a User-Agent is not that of a browser which has one', async (t) => {
  const app = await build({ sessionProtection: 'strong' })
  app.get('/me', { preHandler: app.login.guard() }, async () => 'passed')
  const ann = { id: 'ann' } as LoginUser
  t.equal((await app.inject({ url: '/me', cookies: await app.login.cookiesFor(ann, { headers: {} }) })).statusCode, 302)
  t.equal((await app.inject({ url: '/me', cookies: await app.login.cookiesFor(ann) })).statusCode, 200)
})
