import t from 'tap'
import type { LoginUser } from 'fastify'
import type { LoginStore, LogoutUserOptions } from '../../src/index.js'
import { memoryStore } from '../../src/stores/memory.js'
import { build } from '../support/app.js'
import { Browser, setCookies } from '../support/browser.js'
import { Clock, START } from '../support/clock.js'
import { listen } from '../support/events.js'
import { site } from '../support/site.js'
import { comeBack, copyAt, sidOf, siteOverStore } from '../support/stores/over-store.js'

type Scope = NonNullable<LogoutUserOptions['scope']>

const logout = (browser: Browser, scope?: Scope) =>
  browser.does((_request, reply) => reply.logoutUser(scope === undefined ? {} : { scope }))

/** Ann on three devices, the first two remembered, and Bob on one. */
async function household (options: Parameters<typeof siteOverStore>[0] = {}) {
  const made = await siteOverStore(options)
  const [laptop, phone, tv, bobs] = [made.visitor(), made.visitor(), made.visitor(), made.visitor()]
  await laptop.signIn(made.user('ann'), { remember: 5 })
  await phone.signIn(made.user('ann'), { remember: 6 })
  await tv.signIn(made.user('ann'))
  await bobs.signIn(made.user('bob'), { remember: 7 })
  made.told()
  return { ...made, laptop, phone, tv, bobs }
}

t.test('logout ends the login here, the others or all of them, and tells which', async (t) => {
  const cases: { scope?: Scope, stays: string[], cookies: string[], revoked: string[] }[] = [
    { stays: ['phone', 'tv'], cookies: ['-_remember', '-session'], revoked: [] },
    { scope: 'this', stays: ['phone', 'tv'], cookies: ['-_remember', '-session'], revoked: [] },
    { scope: 'others', stays: ['laptop'], cookies: [], revoked: ['phone', 'tv'] },
    { scope: 'everywhere', stays: [], cookies: ['-_remember', '-session'], revoked: ['laptop', 'phone', 'tv'] }
  ]
  for (const { scope, stays, cookies, revoked } of cases) {
    const { user, told, sids, laptop, phone, tv, bobs } = await household()
    const devices: { [name: string]: Browser } = { laptop, phone, tv }
    const held = Object.fromEntries(Object.entries(devices).map(([name, device]) => [name, sidOf(device)]))
    t.strictSame(setCookies(await logout(laptop, scope)), cookies)

    const expected = [
      ...revoked.length === 0 ? [] : [{ event: 'revoke', userId: 'ann', sids: revoked.map((name) => held[name]) }],
      ...scope === 'others'
        ? []
        : [{ event: 'logout', user: user('ann'), userId: 'ann', sid: held.laptop, scope: scope ?? 'this' }]
    ]
    t.strictSame(told(), expected, `events of ${scope}`)
    t.strictSame(new Set(await sids('ann')), new Set(stays.map((name) => held[name])))
    for (const [name, device] of Object.entries(devices)) {
      const { user } = await device.who()
      t.equal(user, stays.includes(name) ? 'ann' : null, `${name} after ${scope}`)
    }
    t.equal(await comeBack(laptop), scope === 'others' ? 'ann' : null)
    t.equal(await comeBack(bobs), 'bob')
  }
})

t.test('the events of a logout carry the request that asked for it', async (t) => {
  const { app, user, visitor } = await siteOverStore()
  const [laptop, phone] = [visitor(), visitor()]
  for (const browser of [laptop, phone]) await browser.signIn(user('ann'))
  const heard = listen(app.login)
  let asking: unknown
  await laptop.does(async (request, reply) => {
    asking = request
    await reply.logoutUser({ scope: 'everywhere' })
  })
  t.strictSame(heard.map(({ event, payload }) => [event, payload.request === asking]), [
    ['revoke', true], ['logout', true]
  ])
})

t.test('a copied cookie is worth nothing after logout', async (t) => {
  for (const remember of [false, true]) {
    const { user, visitor, copyOf } = await siteOverStore()
    const ann = visitor()
    await ann.signIn(user('ann'), { remember })
    const copies = [copyOf(ann), copyOf(ann), copyOf(ann)] as const
    copies[1].jar.delete('session')
    copies[2].jar.delete('_remember')
    await ann.signOut()
    for (const copy of copies) {
      t.match(await copy.get('/members'), { statusCode: 302 })
      t.equal(copy.jar.size, 0, 'and cleared where it is met')
    }
  }
})

t.test('logout on an unguarded route with an expired session ends the record of what is remembered', async (t) => {
  for (const scope of ['this', 'others', 'everywhere'] as const) {
    const { user, copyOf, clock, told, sids, laptop, phone } = await household({ session: { idleSeconds: 600 } })
    clock.advance(700)
    const copy = copyOf(laptop)
    const sid = sidOf(laptop, '_remember')
    const response = await logout(laptop, scope)
    t.strictSame(
      setCookies(response),
      scope === 'others' ? ['-session'] : ['-_remember', '-session'],
      'the expired session is cleared anyway'
    )
    const events = told().filter(({ event }) => event !== 'invalidToken')
    t.strictSame(events, [
      ...scope === 'this'
        ? []
        : [{ event: 'revoke', userId: 'ann', sids: scope === 'others' ? [sidOf(phone)] : [sid, sidOf(phone)] }],
      ...scope === 'others' ? [] : [{ event: 'logout', user: user('ann'), userId: 'ann', sid, scope }]
    ])
    t.strictSame(await sids('ann'), { this: [sidOf(phone)], others: [sid], everywhere: [] }[scope])
    t.equal(await comeBack(copy), scope === 'others' ? 'ann' : null)
  }
})

t.test('logout ends both logins of a browser that carries two', async (t) => {
  const { copyOf, told, sids, laptop, phone, tv } = await household()
  const mixed = copyOf(tv)
  mixed.jar.set('_remember', phone.jar.get('_remember')!)
  await logout(mixed)
  t.match(told(), [{ event: 'logout', sid: sidOf(tv) }], 'told once, of the login that was in use')
  t.strictSame(await sids('ann'), [sidOf(laptop)])
  t.strictSame([(await phone.who()).user, (await tv.who()).user], [null, null])
})

t.test('who holds a copy of an ended login cannot end the others with it', async (t) => {
  for (const scope of ['others', 'everywhere'] as const) {
    for (const closed of [false, true]) {
      const { app, copyOf, told, sids, laptop, phone, tv } = await household()
      const copy = copyOf(laptop)
      if (closed) copy.close()
      await app.login.revoke('ann', sidOf(laptop))
      told()
      t.equal((await logout(copy, scope)).statusCode, 200)
      t.notOk(told().some(({ event }) => event === 'revoke'))
      t.strictSame(new Set(await sids('ann')), new Set([sidOf(phone), sidOf(tv)]))
    }
  }
  const { told, sids, visitor } = await household()
  for (const scope of ['this', 'others', 'everywhere'] as const) {
    t.equal((await logout(visitor(), scope)).statusCode, 200)
  }
  t.strictSame(told(), [], 'strangers end nothing')
  t.equal((await sids('ann')).length, 3)
})

t.test('a logout stands whoever cannot be loaded for its event', async (t) => {
  const { told, sids, byId, laptop, phone, tv } = await household()
  byId.delete('ann')
  const sid = sidOf(laptop)
  await logout(laptop)
  t.strictSame(told(), [{ event: 'logout', user: null, userId: 'ann', sid, scope: 'this' }])
  t.strictSame(new Set(await sids('ann')), new Set([sidOf(phone), sidOf(tv)]))
})

t.test('list shows the logins of a user, most recently seen first', async (t) => {
  const { app, user, visitor, clock } = await siteOverStore()
  const devices = [visitor(), visitor(), visitor()]
  for (const device of devices) {
    await device.signIn(user('ann'))
    clock.advance(1)
  }
  await visitor().signIn(user('bob'))
  const order = async () =>
    (await app.login.list('ann')).map(({ sid }) => devices.findIndex((device) => sidOf(device) === sid))
  t.strictSame(await order(), [2, 1, 0])
  clock.advance(60)
  await devices[1]!.who()
  t.strictSame(await order(), [1, 2, 0])
  await devices[0]!.who()
  t.strictSame(await order(), [1, 0, 2], 'seen at the same moment: the one that began later first')
  t.strictSame(await app.login.list('nobody'), [])
})

t.test('revoke ends one login and tells of it', async (t) => {
  const { app, heard, laptop, phone, bobs } = await household()
  const sid = sidOf(laptop)
  t.equal(await app.login.revoke('bob', sid), false, 'not of that user')
  t.equal(await app.login.revoke('ann', 'no such login'), false)
  t.strictSame(heard, [])
  t.equal(await app.login.revoke('ann', sid), true)
  t.strictSame(heard, [{ event: 'revoke', payload: { userId: 'ann', sids: [sid] } }])
  t.equal(await app.login.revoke('ann', sid), false)
  t.strictSame(setCookies(await laptop.get('/who')), ['-_remember', '-session'])
  t.match([await phone.who(), await bobs.who()], [{ user: 'ann' }, { user: 'bob' }])
})

t.test('revokeAll ends all logins of a user but one, and says how many', async (t) => {
  const { app, heard, laptop, phone, tv, bobs } = await household()
  const [first, second, third] = [sidOf(laptop), sidOf(phone), sidOf(tv)]
  t.equal(await app.login.revokeAll('ann', { except: second }), 2)
  t.strictSame(heard, [{ event: 'revoke', payload: { userId: 'ann', sids: [first, third] } }])
  t.equal(await app.login.revokeAll('ann', { except: second }), 0)
  t.equal(heard.length, 1, 'nothing is told of nothing')
  t.strictSame([(await laptop.who()).user, (await phone.who()).user, (await tv.who()).user], [null, 'ann', null])
  t.equal(await app.login.revokeAll('ann'), 1)
  t.strictSame([await comeBack(phone), await comeBack(bobs)], [null, 'bob'])
})

t.test('without a store, what needs one says so and changes nothing', async (t) => {
  const { app, user, visitor } = await site()
  const heard = listen(app.login)
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: true })
  heard.length = 0
  const calls: { [name: string]: () => Promise<unknown> } = {
    'login.list()': () => app.login.list('ann'),
    'login.revoke()': () => app.login.revoke('ann', sidOf(ann)),
    'login.revokeAll()': () => app.login.revokeAll('ann', { except: sidOf(ann) })
  }
  for (const [name, call] of Object.entries(calls)) {
    await t.rejects(call, {
      code: 'FST_LOGIN_STORE_REQUIRED', statusCode: 500, message: new RegExp(`^${name.replace('()', '\\(\\)')} needs`)
    })
  }
  for (const scope of ['others', 'everywhere'] as const) {
    for (const browser of [ann, visitor()]) {
      const response = await logout(browser, scope)
      t.match(response, { statusCode: 500 })
      t.match(response.json(), { code: 'FST_LOGIN_STORE_REQUIRED', message: `logoutUser({ scope: '${scope}' }) needs` })
      t.strictSame(setCookies(response), [])
    }
  }
  t.strictSame(heard, [])
  t.equal(await comeBack(ann), 'ann')
})

const droppings: { [name: string]: (browser: Browser) => ReturnType<Browser['does']> } = {
  'session.delete()': (browser) => browser.does((request) => request.session.delete()),
  'session.regenerate()': (browser) => browser.does((request) => request.session.regenerate()),
  'both, twice': (browser) => browser.does((request) => {
    for (let count = 0; count < 2; count++) {
      request.session.regenerate()
      request.session.delete()
    }
  }),
  'session.delete() before an error': (browser) => browser.does((request) => {
    request.session.delete()
    throw new Error('after that')
  })
}

t.test('session.delete() and session.regenerate() end the login with its record', async (t) => {
  for (const [name, drop] of Object.entries(droppings)) {
    for (const cookie of ['session', '_remember']) {
      const { copyOf, sids, laptop, phone, tv } = await household()
      const copy = copyOf(laptop)
      if (cookie === '_remember') laptop.close()
      const response = await drop(laptop)
      t.equal(response.statusCode, name.endsWith('error') ? 500 : 200)
      t.strictSame(setCookies(response), cookie === 'session' ? ['-_remember', '-session'] : ['-_remember'], name)
      t.strictSame(new Set(await sids('ann')), new Set([sidOf(phone), sidOf(tv)]), `${name} with the ${cookie} cookie`)
      t.match(await copy.who(), { user: null })
    }
  }
})

t.test('with the store down, session.delete() and session.regenerate() change nothing, early or late', async (t) => {
  for (const [name, drop] of Object.entries(droppings)) {
    for (const used of [10, 500]) {
      const { errors, faults, clock, laptop } = await household({ session: { idleSeconds: 600 } })
      const cause = new Error('connection lost')
      await laptop.does((request) => { Object.assign(request.session, { cart: ['pear'] }) })
      clock.advance(used)
      const before = new Map(laptop.jar)
      faults.fail('delete', cause)
      const response = await drop(laptop)
      t.equal(response.statusCode, name.endsWith('error') ? 500 : 503)
      t.match(response.json(), { code: 'FST_LOGIN_STORE_FAILED' })
      t.equal(errors.at(-1)?.cause, cause)
      t.strictSame(setCookies(response), [], `${name} after ${used} seconds`)
      t.strictSame(laptop.jar, before)
      faults.mend()
      t.match(await laptop.who(), { user: 'ann', kind: 'fresh', remembered: true })
      await laptop.does((request) => t.strictSame(request.session.data(), { cart: ['pear'] }))
      t.equal(await comeBack(laptop), 'ann')
    }
  }
})

t.test('with the store down, the error page after session.delete() reads the session and renews nothing', async (t) => {
  const store = { ...memoryStore(), delete: async () => { throw new Error('connection lost') } }
  const clock = new Clock()
  for (const [known, looks] of [[true, true], [false, true], [true, false]]) {
    const app = await build({ store, clock: clock.read, session: { idleSeconds: 100 } })
    app.setErrorHandler((error: Error & { code: string }, request, reply) => {
      return reply.code(503).send({ code: error.code, cart: looks ? request.session.get('cart') : 'pear' })
    })
    app.get('/delete', async (request) => {
      if (known) await request.getCurrentUser()
      request.session.delete()
    })
    const cookies = await app.login.cookiesFor({ id: 'ann' }, { data: { cart: 'pear' } })
    clock.advance(60)
    const response = await app.inject({ url: '/delete', cookies })
    t.strictSame([response.statusCode, response.json(), response.headers['set-cookie'], response.headers.vary],
      [503, { code: 'FST_LOGIN_STORE_FAILED', cart: 'pear' }, undefined, 'Cookie'])
  }
})

t.test('one login more than maxLogins ends the oldest, and tells of it', async (t) => {
  const { user, visitor, clock, heard, sids } = await siteOverStore({ maxLogins: 2 })
  const [first, second, third, bobs] = [visitor(), visitor(), visitor(), visitor()]
  await bobs.signIn(user('bob'))
  for (const device of [first, second]) {
    clock.advance(5)
    await device.signIn(user('ann'), { remember: true })
  }
  clock.advance(90)
  await first.who() // most recently seen, and still the oldest
  heard.length = 0
  let asking: unknown
  await third.does((request, reply) => {
    asking = request
    return reply.loginUser(user('ann'))
  })
  t.strictSame(heard.map(({ event }) => event), ['revoke', 'login'])
  t.strictSame(heard[0]!.payload, { userId: 'ann', sids: [sidOf(first)], request: asking })
  t.strictSame(await sids('ann'), [sidOf(third), sidOf(second)])
  t.strictSame(setCookies(await first.get('/who')), ['-_remember', '-session'])
  t.strictSame([await comeBack(second), (await third.who()).user, (await bobs.who()).user], ['ann', 'ann', 'bob'])
  t.notOk(heard.slice(2).some(({ event }) => event === 'revoke'), 'coming back is no login')
})

t.test('signing in again in one browser takes the place of its own login: nobody has to make room', async (t) => {
  const { user, visitor, heard, sids } = await siteOverStore({ maxLogins: 2 })
  const [phone, laptop] = [visitor(), visitor()]
  await phone.signIn(user('ann'))
  await laptop.signIn(user('ann'), { remember: true })
  heard.length = 0
  await laptop.signIn(user('ann'))
  t.strictSame(heard.map(({ event }) => event), ['login'])
  t.strictSame(new Set(await sids('ann')), new Set([sidOf(phone), sidOf(laptop)]))
})

t.test('logins of one user made at once keep to maxLogins, over two instances too', async (t) => {
  const { app, user, visitor, faults, clock, sids } = await siteOverStore({ maxLogins: 3 })
  const other = await site({ store: faults.store, maxLogins: 3, clock: clock.read })
  const devices = Array.from({ length: 12 }, (_, index) => index % 2 === 0 ? visitor() : other.visitor())
  await Promise.all(devices.map((device) => device.signIn(user('ann'))))
  const living = new Set(await sids('ann'))
  t.equal(living.size, 3)
  for (const device of devices) {
    const here = copyAt(app, device)
    t.equal((await here.who()).user, living.has(sidOf(device)) ? 'ann' : null)
  }
})

t.test('a login that is to be listed has been seen when it began', async (t) => {
  const { app, user, visitor } = await siteOverStore()
  const ann = visitor()
  await ann.does(async (_request, reply) => {
    await reply.loginUser(user('ann'), { redirectUrl: false })
    t.match(await app.login.list('ann'), [{ createdAt: START, lastSeenAt: START }], 'before the response is out')
  })
  t.match(await ann.who(), { user: 'ann' })
})

t.test('revokeAll with a misspelt option ends nothing', async (t) => {
  const { app, user, visitor, sids } = await siteOverStore()
  await visitor().signIn(user('ann'))
  await t.rejects(app.login.revokeAll('ann', { expect: 'x' } as object), {
    code: 'FST_LOGIN_INVALID_OPTIONS', message: /known: except/
  })
  t.equal((await sids('ann')).length, 1)
})

t.test('a login ended elsewhere ends no others and confirms nothing, whatever this process remembers', async (t) => {
  const { user, visitor, faults, clock, sids } = await siteOverStore({ storeCheckSeconds: 300 })
  const other = await site({ store: faults.store, storeCheckSeconds: 300, clock: clock.read })
  const [thief, honest] = [visitor(), visitor()]
  await thief.signIn(user('ann'))
  await honest.signIn(user('ann'))
  await thief.who()
  await other.app.login.revoke('ann', sidOf(thief))
  t.match(await thief.who(), { user: 'ann' }, 'the price of storeCheckSeconds')
  t.equal((await thief.does((_request, reply) => reply.confirmLogin())).statusCode, 401)
  await thief.does((_request, reply) => reply.logoutUser({ scope: 'everywhere' }))
  t.strictSame(await sids('ann'), [sidOf(honest)])
})

for (const cause of ['user gone', 'protected'] as const) {
  t.test(`a login made while the end of the former one is still being written stands: ${cause}`, async (t) => {
    const store = memoryStore()
    let [asked, goOn] = [() => {}, () => {}]
    const isAsked = new Promise<void>((resolve) => { asked = resolve })
    const mayGoOn = new Promise<void>((resolve) => { goOn = resolve })
    const slow: LoginStore = {
      ...store,
      async delete (...login) {
        asked()
        await mayGoOn
        return store.delete(...login)
      }
    }
    const ann = { id: 'ann' } as LoginUser
    let there = true
    const app = await build({ store: slow, userLoader: () => there ? ann : null, sessionProtection: 'strong' })
    app.get('/me', { preHandler: app.login.guard() }, async () => 'passed')
    app.post('/again', async (request, reply) => {
      there = cause === 'protected'
      const former = request.getCurrentUser()
      await isAsked
      there = true
      await reply.loginUser(ann, { redirectUrl: false })
      goOn()
      await former
      return 'signed in'
    })
    const browser = new Browser(app)
    browser.keep(await app.login.cookiesFor(ann))
    const headers = cause === 'protected' ? { 'user-agent': 'Lynx/2.9' } : {}
    t.strictSame(setCookies(await browser.post('/again', {}, headers)), ['session'])
    t.equal((await browser.get('/me', headers)).body, 'passed')
  })
}

t.test('session and remember cookie of a user who is gone end together, also as those of two logins', async (t) => {
  let there = true
  const app = await build({ store: memoryStore(), userLoader: (id) => there ? { id } as LoginUser : null })
  app.get('/me', { preHandler: app.login.guard() }, async () => 'passed')
  const ann = { id: 'ann' } as LoginUser
  const { session } = await app.login.cookiesFor(ann)
  const { _remember } = await app.login.cookiesFor(ann, { remember: true })
  there = false
  t.strictSame(
    setCookies(await app.inject({ url: '/me', cookies: { session: session!, _remember: _remember! } })),
    ['-_remember', '-session']
  )
  t.strictSame(await app.login.list('ann'), [])
})

t.test('a login whose response was sent while its record was being written is taken back', async (t) => {
  const store = memoryStore()
  const app = await build({ store })
  let hasty: Promise<unknown> = Promise.resolve()
  app.post('/login', (_request, reply) => {
    hasty = reply.loginUser({ id: 'ann' } as LoginUser).catch((error: { code: string }) => error.code)
    reply.send('too early')
  })
  t.strictSame(setCookies(await app.inject({ method: 'POST', url: '/login' })), [])
  t.equal(await hasty, 'FST_LOGIN_HEADERS_SENT')
  t.strictSame(await app.login.list('ann'), [])
})
