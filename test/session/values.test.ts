import t from 'tap'
import { buildSession } from '../support/app.js'
import { Browser, onePage, setCookies } from '../support/browser.js'
import { Clock, START } from '../support/clock.js'
import { site } from '../support/site.js'
import { claimsOf } from '../support/tokens.js'

const start = async () => onePage(await buildSession())
const data = (token: string | undefined) => claimsOf(token).data

t.test('a value that is set comes back at the next request, and unset removes it', async (t) => {
  const { visit, browser } = await start()

  await visit((session) => session.set('cart', ['pear']))
  const found = await visit((session) => [
    session.get('cart'), session.has('cart'), session.get('other'), session.has('other')
  ])
  t.same(found.json(), [['pear'], true, null, false])
  t.same(data(browser.cookie('session')), { cart: ['pear'] })

  await visit((session) => {
    session.set('size', 7)
    session.unset('cart')
  })
  t.same((await visit((session) => session.data())).json(), { size: 7 })
})

t.test('setting undefined removes a value, and data() does not list it', async (t) => {
  const { visit } = await start()
  await visit((session) => session.set('cart', 1))
  const response = await visit((session) => {
    session.set('cart', undefined)
    return { has: session.has('cart'), data: session.data(), keys: Object.keys(session) }
  })
  t.same(response.json(), { has: false, data: {}, keys: [] })
  t.same(setCookies(response), ['-session'], 'a session with nothing in it needs no cookie')
})

t.test('data() is a copy of the keys: adding to it changes nothing', async (t) => {
  const { visit } = await start()
  await visit((session) => session.set('cart', 1))
  t.same(setCookies(await visit((session) => { session.data().more = 2 })), [])
})

t.test('the values of a session are also there property style', async (t) => {
  const { visit } = await start()
  await visit((session) => {
    const values = session as unknown as Record<string, unknown>
    values.cart = ['pear']
    Object.defineProperty(session, 'size', { value: 7, writable: true, enumerable: true, configurable: true })
  })
  const response = await visit((session) => ({
    read: (session as unknown as Record<string, unknown>).cart,
    is: 'cart' in session,
    isNot: 'other' in session,
    members: ['get' in session, Symbol.iterator in session],
    keys: Object.keys(session),
    copied: { ...session },
    listed: Object.entries(session),
    own: [Object.hasOwn(session, 'cart'), Object.hasOwn(session, 'get')]
  }))
  t.same(response.json(), {
    read: ['pear'],
    is: true,
    isNot: false,
    members: [true, false],
    keys: ['cart', 'size'],
    copied: { cart: ['pear'], size: 7 },
    listed: [['cart', ['pear']], ['size', 7]],
    own: [true, false]
  })

  await visit((session) => { delete (session as unknown as Record<string, unknown>).cart })
  t.same((await visit((session) => Object.keys(session))).json(), ['size'])
})

t.test('a value changed in place is saved, through get() and property style', async (t) => {
  const { visit } = await start()
  await visit((session) => session.set('cart', { items: ['pear'] }))
  await visit((session) => (session.get('cart') as { items: string[] }).items.push('fig'))
  await visit((session) => { (session as unknown as { cart: { note: string } }).cart.note = 'ripe' })
  t.same((await visit((session) => session.get('cart'))).json(), { items: ['pear', 'fig'], note: 'ripe' })
})

t.test('names of claims and of Object.prototype are keys like any other', async (t) => {
  const keys = [
    'exp', 'iat', 'sub', 'uid', 'sid', 'fresh', 'aud', 'ck', 'born', 'next',
    '__proto__', 'constructor', 'toString', 'toJSON', 'then', '2', '1'
  ]
  const { visit, browser } = await start()
  t.equal((await visit((session) => { for (const key of keys) session.set(key, `value of ${key}`) })).statusCode, 200)

  const response = await visit((session) => ({
    values: keys.map((key) => session.get(key)),
    has: keys.map((key) => session.has(key)),
    properties: keys.map((key) => (session as unknown as Record<string, unknown>)[key]),
    own: keys.map((key) => Object.hasOwn(session.data(), key)),
    hasLogin: 'login' in session
  }))
  const all = keys.map((key) => `value of ${key}`)
  t.same(response.json(), {
    values: all, has: keys.map(() => true), properties: all, own: keys.map(() => true), hasLogin: false
  })
  const claims = claimsOf(browser.cookie('session'))
  t.same([claims.uid, claims.sub, typeof claims.exp], [undefined, undefined, 'number'], 'none of them became a claim')
})

t.test('absent keys named like members of Object.prototype are absent', async (t) => {
  const { visit } = await start()
  const response = await visit((session) => ['__proto__', 'constructor', 'hasOwnProperty'].flatMap((key) =>
    [
      session.get(key) === undefined, (session as unknown as Record<string, unknown>)[key] === undefined,
      session.has(key), key in session
    ]))
  t.same(response.json(), [true, true, false, false, true, true, false, false, true, true, false, false])
})

t.test('__proto__ set property style is a value and touches no prototype', async (t) => {
  const { visit } = await start()
  await visit((session) => { Reflect.set(session, '__proto__', { admin: true }) })
  const response = await visit((session) => [
    session.get('__proto__'), session.get('admin') ?? null, ({} as Record<string, unknown>).admin ?? null
  ])
  t.same(response.json(), [{ admin: true }, null, null])
})

t.test('names of members are values through set() and get(), and refused property style', async (t) => {
  const members = [
    'get', 'set', 'has', 'unset', 'data', 'delete', 'regenerate', 'touch', 'options', 'changed', 'deleted'
  ]
  const { visit } = await start()
  await visit((session) => { for (const key of members) session.set(key, `my ${key}`) })
  const response = await visit((session) => {
    const values = session as unknown as Record<string, unknown>
    return members.map((key) => ({
      stored: session.get(key),
      member: typeof values[key],
      assigned: Reflect.set(values, key, 1),
      removed: Reflect.deleteProperty(values, key),
      defined: Reflect.defineProperty(values, key, { value: 1, configurable: true })
    }))
  })
  t.same(response.json(), members.map((key) => ({
    stored: `my ${key}`,
    member: ['changed', 'deleted'].includes(key) ? 'boolean' : 'function',
    assigned: false,
    removed: false,
    defined: false
  })))
  t.same(setCookies(response), [])
  t.equal((await visit((session) => {
    (session as unknown as Record<string, unknown>).get = 1
  })).statusCode, 500, 'strict code hears of it')
})

t.test('a session has no accessors: defining one is refused', async (t) => {
  const { visit } = await start()
  t.same(
    (await visit((session) => Reflect.defineProperty(session, 'cart', { get: () => 1, configurable: true }))).json(),
    false
  )
})

t.test('delete() ends the session: the values are gone and so is the cookie', async (t) => {
  const { visit, browser } = await start()
  await visit((session) => session.set('cart', 1))
  const response = await visit((session) => {
    session.delete()
    return { cart: session.get('cart') ?? null, deleted: session.deleted, changed: session.changed }
  })
  t.same(response.json(), { cart: null, deleted: true, changed: true })
  t.same(setCookies(response), ['-session'])
  t.equal(browser.cookie('session'), undefined)
})

t.test('delete() of a session that is not there sets no cookie', async (t) => {
  const { visit } = await start()
  t.same(setCookies(await visit((session) => session.delete())), [])
})

t.test('set() after delete() starts anew, with a limit of its own', async (t) => {
  const clock = new Clock()
  const { visit, browser } = onePage(await buildSession({ clock: clock.read }))
  await visit((session) => session.set('cart', 1))
  clock.advance(100)
  const response = await visit((session) => {
    session.delete()
    session.unset('cart')
    const between = session.deleted
    session.set('size', 7)
    return [between, session.deleted]
  })
  t.same(response.json(), [true, false])
  t.match(claimsOf(browser.cookie('session')), { born: clock.seconds, data: { size: 7 } })
  t.same((await visit((session) => session.data())).json(), { size: 7 })
})

t.test('regenerate() keeps the values named, drops the others, and begins anew', async (t) => {
  const clock = new Clock()
  const { visit, browser } = onePage(await buildSession({ clock: clock.read }))
  await visit((session) => { for (const key of ['a', 'b', 'c']) session.set(key, key) })
  const before = browser.cookie('session')
  clock.advance(60)
  await visit((session) => session.regenerate(['a', 'c', 'absent']))
  t.same(data(browser.cookie('session')), { a: 'a', c: 'c' })
  t.equal(claimsOf(browser.cookie('session')).born, clock.seconds)
  t.not(browser.cookie('session'), before)
  t.same(setCookies(await visit((session) => session.regenerate())), ['-session'], 'without names nothing is kept')
})

t.test('changed says whether this response will write the session', async (t) => {
  const { visit } = await start()
  const seen = await visit((session) => {
    const states = [session.changed]
    session.set('cart', [1])
    states.push(session.changed)
    session.unset('cart')
    states.push(session.changed)
    session.set('cart', [1])
    return [...states, session.changed]
  })
  t.same(seen.json(), [false, true, false, true])
  const inPlace = await visit((session) => {
    const before = session.changed;
    (session.get('cart') as number[]).push(2)
    return [before, session.changed]
  })
  t.same(inPlace.json(), [false, true])
})

t.test('values JSON has no word for are left out; one it cannot carry is an error that keeps the cookie', async (t) => {
  const { visit, browser } = await start()
  await visit((session) => {
    session.set('when', new Date(0))
    session.set('nothing', null)
    session.set('action', () => 1)
  })
  t.same((await visit((session) => session.data())).json(), { when: '1970-01-01T00:00:00.000Z', nothing: null })

  const before = browser.cookie('session')
  const response = await visit((session) => session.set('big', 1n))
  t.equal(response.statusCode, 500)
  t.same(setCookies(response), [])
  t.equal(browser.cookie('session'), before)
})

t.test('the session is there in every hook, in the error handler and in the 404', async (t) => {
  const app = await buildSession()
  const seen: string[] = []
  for (const hook of [
    'onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend', 'onError', 'onResponse'
  ] as const) {
    app.addHook(hook as 'onRequest', async (request) => { seen.push(`${hook} ${request.session.get('name')}`) })
  }
  app.setErrorHandler((_error, request, reply) => reply.code(500).send({ name: request.session.get('name') }))
  app.setNotFoundHandler((request, reply) => reply.code(404).send({ name: request.session.get('name') }))
  app.get('/fail', async () => { throw new Error('no') })
  const { visit, browser } = onePage(app)

  await visit((session) => session.set('name', 'Ann'))
  seen.length = 0
  t.match((await browser.get('/fail')).json(), { name: 'Ann' })
  t.match((await browser.get('/nowhere')).json(), { name: 'Ann' })
  t.same(seen.filter((line) => !line.endsWith(' Ann')), [])
  t.same(seen.map((line) => line.split(' ')[0]), [
    'onRequest', 'preParsing', 'preValidation', 'preHandler', 'onError', 'preSerialization', 'onSend', 'onResponse',
    'onRequest', 'preParsing', 'preValidation', 'preHandler', 'preSerialization', 'onSend', 'onResponse'
  ])
})

// microdot M9, M10: whatever was signed with that secret and names a user is a remember cookie.
t.test('values an application keeps under the names of claims are no login, in either cookie', async (t) => {
  const { app } = await site()
  const login = { uid: 'ann', sid: 'sid', auth_time: START / 1000, fresh: true }
  const data = { ...login, user_id: 'ann', days: 30, _login: login }
  const stranger = new Browser(app)
  await stranger.can((request) => { Object.assign(request.session, data) })
  t.match(await stranger.who(), { user: null, kind: 'anonymous' })
  stranger.keep({ _remember: stranger.cookie('session')! })
  t.match(await stranger.who(), { user: null, kind: 'anonymous' })
})

// microdot M11: values lie beside the claims, and some names make the token unreadable.
t.test('session values named like registered claims are just values, and nobody is signed out by them', async (t) => {
  const { user, visitor } = await site({ audience: 'shop' })
  const names = ['aud', 'sub', 'exp', 'iat', 'nbf', 'jti', 'iss', 'ck', 'born', 'next', 'fp', 'stamp']
  for (const name of names) {
    const ann = visitor()
    await ann.signIn(user('ann'))
    await ann.can((request) => { Object.assign(request.session, { [name]: 0 }) })
    t.match(await ann.who(), { user: 'ann', kind: 'fresh' }, name)
    await ann.can((request) => t.strictSame(request.session.data(), { [name]: 0 }, name))
  }
})
