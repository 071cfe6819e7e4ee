import t from 'tap'
import { setCookies } from '../support/browser.js'
import { DAY, START } from '../support/clock.js'
import { listen } from '../support/events.js'
import { site } from '../support/site.js'
import { claimsOf } from '../support/tokens.js'

t.test('a login says who, when and fresh, under the name of its cookie, and nothing else of the user', async (t) => {
  const { user, visitor } = await site({ session: { cookieName: 'sitting', idleSeconds: 600, absoluteSeconds: 9000 } })
  const ann = visitor()
  t.strictSame(setCookies(await ann.signIn(user('ann'))), ['sitting'])
  const { sid, ...claims } = claimsOf(ann.cookie('sitting'))
  const now = START / 1000
  t.match(sid, /^[\w-]{22}$/)
  t.strictSame(claims, { ck: 'sitting', uid: 'ann', auth_time: now, fresh: true, iat: now, exp: now + 600, born: now })
  t.strictSame(await ann.who(), { user: 'ann', kind: 'fresh', sid, userId: 'ann', authTime: now, remembered: false })
})

t.test('a login ends what the session held, but for keepOnLogin, and starts its times anew', async (t) => {
  const { user, clock, visitor } = await site({ session: { keepOnLogin: ['cart', 'never set'] } })
  const browser = visitor()
  await browser.can((request) => { Object.assign(request.session, { cart: ['pear'], draft: 'text' }) })
  t.match(claimsOf(browser.cookie('session')), { born: START / 1000, data: { cart: ['pear'], draft: 'text' } })
  clock.advance(100)
  await browser.signIn(user('ann'))
  const first = claimsOf(browser.cookie('session'))
  t.strictSame([first.data, first.born], [{ cart: ['pear'] }, START / 1000 + 100])
})

t.test('each login has an id of its own, also of the same user in the same browser', async (t) => {
  const { user, visitor } = await site()
  const browser = visitor()
  const sids = new Set()
  for (const name of ['ann', 'ann', 'bob', 'ann']) {
    await browser.signIn(user(name))
    sids.add((await browser.who()).sid)
  }
  t.equal(sids.size, 4)
})

t.test('the next user of a browser sees nothing the one before has left', async (t) => {
  const { user, visitor } = await site()
  const browser = visitor()
  await browser.signIn(user('ann'), { remember: true })
  await browser.can((request) => { Object.assign(request.session, { letters: ['dear Bob'] }) })
  await browser.signIn(user('bob'))
  await browser.can((request) => t.strictSame(request.session.data(), {}))
  t.match(await browser.who(), { user: 'bob', remembered: false })
})

t.test('a login without remember clears the remember cookie of anyone', async (t) => {
  const { user, visitor } = await site()
  const browser = visitor()
  await browser.signIn(user('ann'), { remember: true })
  t.strictSame(setCookies(await browser.signIn(user('bob'))), ['-_remember', 'session'])
  browser.close()
  t.match(await browser.who(), { user: null, kind: 'anonymous' })

  await browser.signIn(user('ann'), { remember: true })
  t.strictSame(setCookies(await browser.signIn(user('ann'), { remember: false })), ['-_remember', 'session'])
  const withGarbage = visitor()
  withGarbage.keep({ _remember: 'garbage' })
  t.strictSame(setCookies(await withGarbage.signIn(user('bob'))), ['-_remember', 'session'])
  withGarbage.jar.clear()
  withGarbage.keep({ _remember: 'garbage' })
  const known = await withGarbage.can(async (request, reply) => {
    await request.getCurrentUser()
    await reply.loginUser(user('bob'), { remember: true })
  })
  t.strictSame(setCookies(known), ['_remember', 'session'], 'a good one takes the place of a bad one')
  t.strictSame(setCookies(await visitor().signIn(user('bob'))), ['session'])
})

t.test('the id comes back to the loader with the type it had', async (t) => {
  const ids = [0, 7, '7', -3, 1.5, '0', 'ünï cødé', '__proto__', 'a'.repeat(300)]
  const { user, loads, visitor } = await site({}, ids.map((id) => ({ id, name: `${typeof id} ${id}` })))
  for (const id of ids) {
    const browser = visitor()
    await browser.signIn(user(id), { remember: 3 })
    t.match(await browser.get('/members'), { statusCode: 200, body: `${typeof id} ${id}` })
    browser.close()
    t.match(await browser.who(), { user: id, userId: id, kind: 'stale', remembered: true })
  }
  t.strictSame(loads, ids.flatMap((id) => [id, id]))
})

t.test('fresh: false signs in for everything but what needs a fresh login', async (t) => {
  const { user, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { fresh: false })
  t.match(await ann.who(), { user: 'ann', kind: 'stale', authTime: START / 1000 })
  t.match(await ann.get('/members'), { statusCode: 200 })
  t.match(await ann.get('/fresh'), { statusCode: 302 })
})

t.test('a login redirects to the first target that was given, with the status asked for', async (t) => {
  const { app, user, visitor } = await site({
    nextParam: 'back', nextIn: 'session', allowedOrigins: ['https://shop.example']
  })
  app.post('/from', async (request, reply) => reply.loginUser(user('ann'), request.body as object))
  const cases: [string, object, string, number][] = [
    ['/from', {}, '/', 302],
    ['/from', { redirectUrl: '/home', redirectStatus: 303 }, '/home', 303],
    ['/from', { redirectUrl: 'https://elsewhere.example/x', redirectStatus: 307 }, 'https://elsewhere.example/x', 307],
    ['/from', { redirectUrl: '/grüße?zu=ß#ö' }, '/gr%C3%BC%C3%9Fe?zu=%C3%9F#%C3%B6', 302],
    ['/from', { redirectUrl: 'https://müller.example/ü' }, 'https://xn--mller-kva.example/%C3%BC', 302],
    ['/from?back=/query', { redirectUrl: '/home' }, '/query', 302],
    ['/from?back=/query', { next: '/body', redirectUrl: '/home' }, '/body', 302],
    ['/from?back=/query', { next: null }, '/query', 302],
    ['/from?back=/query', { next: '//evil.example', redirectUrl: '/home' }, '/home', 302],
    ['/from?back=/query', { next: '', redirectUrl: '/home' }, '/home', 302],
    ['/from?back=//evil.example', { redirectUrl: '/home' }, '/home', 302],
    ['/from?back=/a&back=/b', { redirectUrl: '/home' }, '/home', 302],
    ['/from?back=https://shop.example/cart', {}, 'https://shop.example/cart', 302]
  ]
  for (const [url, body, location, statusCode] of cases) {
    t.match(await visitor().post(url, body), { statusCode, headers: { location } }, `${url} ${JSON.stringify(body)}`)
  }

  const waiting = visitor()
  await waiting.get('/members?page=2')
  t.match(
    await waiting.post('/from', { redirectUrl: '/home' }),
    { headers: { location: '/members?page=2' } },
    'kept in the session'
  )
  t.match(await waiting.post('/from', { redirectUrl: '/home' }), { headers: { location: '/home' } }, 'used once')
  await waiting.signOut()
  await waiting.get('/members?page=2')
  t.match(await waiting.post('/from?back=/query', {}), { headers: { location: '/query' } }, 'behind the query')
})

t.test('after a login with redirectUrl: false the handler goes on at once and answers itself', async (t) => {
  const { user, visitor } = await site()
  const ann = visitor()
  const response = await ann.can(async (request, reply) => {
    t.equal(await reply.loginUser(user('ann'), { redirectUrl: false, next: '/elsewhere' }), undefined)
    t.notOk(reply.sent)
    t.equal(request.currentUser, user('ann'))
    t.match(request.loginState, { kind: 'fresh', userId: 'ann', remembered: false })
    reply.code(201)
    return { token: 'none needed' }
  })
  t.match(response, { statusCode: 201, body: '{"token":"none needed"}', headers: { location: undefined } })
  t.match(await ann.who(), { user: 'ann' })
})

t.test('the promise of a login that redirects settles when the answer is out', async (t) => {
  const { app, user, visitor } = await site()
  app.addHook('onSend', async () => { await new Promise((resolve) => setImmediate(resolve)) })
  const response = await visitor().does(async (_request, reply) => {
    await reply.loginUser(user('ann'))
    t.ok(reply.sent && reply.raw.writableEnded)
  })
  t.match(response, { statusCode: 302, headers: { location: '/' } })
})

t.test('a login stands when the handler throws after it', async (t) => {
  const { user, visitor } = await site()
  const ann = visitor()
  const response = await ann.does(async (_request, reply) => {
    await reply.loginUser(user('ann'), { remember: 5, redirectUrl: false })
    throw new Error('the welcome mail was lost')
  })
  t.equal(response.statusCode, 500)
  t.strictSame(setCookies(response), ['_remember', 'session'])
  t.match(await ann.who(), { user: 'ann', kind: 'fresh', remembered: true })
})

t.test('login and logout in one request: what came last stands, with one Set-Cookie per name', async (t) => {
  const { app, user, visitor } = await site()
  const heard = listen(app.login)
  const ann = visitor()
  const gone = await ann.can(async (request, reply) => {
    await reply.loginUser(user('ann'), { remember: 5, redirectUrl: false })
    await reply.logoutUser()
    t.equal(request.currentUser, null)
  })
  t.strictSame(setCookies(gone), ['-_remember', '-session'])
  t.match(await ann.who(), { user: null })

  await ann.signIn(user('ann'), { remember: 5 })
  const back = await ann.can(async (request, reply) => {
    await reply.logoutUser()
    await reply.loginUser(user('bob'), { redirectUrl: false })
    t.equal(request.currentUser, user('bob'))
  })
  t.strictSame(setCookies(back), ['-_remember', 'session'])
  t.match(await ann.who(), { user: 'bob' })
  t.strictSame(heard.map(({ event, payload }) => `${event} ${payload.userId}`),
    ['login ann', 'logout ann', 'login ann', 'logout ann', 'login bob'])

  const twice = await ann.can(async (_request, reply) => {
    await reply.loginUser(user('ann'), { remember: 2, redirectUrl: false })
    await reply.loginUser(user('bob'), { remember: 3, redirectUrl: false })
  })
  t.strictSame(setCookies(twice), ['_remember', 'session'])
  t.match(claimsOf(ann.cookie('_remember')), { uid: 'bob', days: 3 })
})

t.test('a login or logout made while the user is still being loaded stands', async (t) => {
  for (const kind of ['session', 'remember cookie', 'basic', 'strong'] as const) {
    const sessionProtection = kind === 'basic' || kind === 'strong' ? kind : false
    const elsewhere = { 'user-agent': 'Another machine' }
    for (const answer of ['ann', null]) {
      let release = () => {}
      const waiting = new Promise<void>((resolve) => { release = resolve })
      const { user, visitor } = await site({
        sessionProtection, userLoader: (id) => waiting.then(() => id === answer ? { id } : null)
      })
      const ann = visitor()
      await ann.signIn(user('ann'), { remember: true })
      if (kind === 'remember cookie') ann.close()
      const cookies = new Map(ann.jar)
      const signedIn = await ann.can(async (request, reply) => {
        const loading = request.getCurrentUser()
        await reply.loginUser(user('bob'), { redirectUrl: false, remember: 9 })
        release()
        t.equal(await loading, user('bob'))
      }, elsewhere)
      t.equal(signedIn.statusCode, 200)
      t.strictSame(
        [claimsOf(ann.cookie('session')).uid, claimsOf(ann.cookie('_remember')).uid],
        ['bob', 'bob'],
        `${kind}, ${answer}`
      )

      const bob = visitor()
      for (const [name, cookie] of cookies) bob.jar.set(name, cookie)
      const gone = await bob.can(async (request, reply) => {
        const loading = request.getCurrentUser()
        await reply.logoutUser()
        t.equal(await loading, null)
      }, elsewhere)
      t.strictSame(setCookies(gone), ['-_remember', '-session'], `${kind}, ${answer}`)
    }
  }
})

t.test('signing in or out after the headers are gone is an error, not a login that never was', async (t) => {
  const { app, user, visitor } = await site()
  const heard = listen(app.login)
  const codes: unknown[] = []
  const ann = visitor()
  await ann.signIn(user('ann'))
  await ann.can(async (_request, reply) => {
    reply.hijack()
    const calls = [() => reply.loginUser(user('bob')), () => reply.logoutUser(), () => reply.confirmLogin()]
    for (const call of calls) await call().catch((error: { code: string }) => codes.push(error.code))
    reply.raw.end('raw')
  })
  t.strictSame(codes, Array(3).fill('FST_LOGIN_HEADERS_SENT'))
  t.strictSame(heard.map(({ event }) => event), ['login'])
  t.match(await ann.who(), { user: 'ann' })
})

t.test('remember: true stands for the configured days, a number for that many', async (t) => {
  const { user, visitor } = await site({ remember: { cookieName: 'stay', days: 12 } })
  for (const [remember, days] of [[true, 12], [1, 1], [400, 400]] as const) {
    const ann = visitor()
    await ann.signIn(user('ann'), { remember })
    const { sid, ...claims } = claimsOf(ann.cookie('stay'))
    const now = START / 1000
    t.strictSame(claims, { ck: 'stay', uid: 'ann', days, iat: now, exp: now + days * DAY, born: now, auth_time: now })
    t.equal(sid, claimsOf(ann.cookie('session')).sid)
    t.equal(ann.jar.get('stay')?.maxAge, days * DAY)
    t.match(await ann.who(), { remembered: true })
  }
})
