import t from 'tap'
import { build, buildSession } from '../support/app.js'
import { onePage, setCookies } from '../support/browser.js'
import { Clock } from '../support/clock.js'
import { site } from '../support/site.js'
import { claimsOf } from '../support/tokens.js'
import { people } from '../support/users.js'

/** As large a value as fits, found by trying; and the header line it makes. */
async function largestThatFits (visit: ReturnType<typeof onePage>['visit'], key: string) {
  let [fits, tooMuch] = [0, 4096]
  let line = ''
  while (tooMuch - fits > 1) {
    const middle = Math.floor((fits + tooMuch) / 2)
    const response = await visit((session) => session.set(key, 'x'.repeat(middle)))
    if (response.statusCode === 200) {
      fits = middle
      line = String(response.headers['set-cookie'])
    } else tooMuch = middle
  }
  return { fits, line }
}

t.test('a cookie of up to 4096 bytes with name and attributes goes out, a larger one is refused', async (t) => {
  for (const options of [{}, {
    cookieName: 'a-longer-name', cookie: { domain: 'shop.example', path: '/some/where', priority: 'high' as const }
  }]) {
    const { visit } = onePage(await buildSession(options))
    const { line } = await largestThatFits(visit, 'big')
    t.ok(line.length > 4096 - 4 && line.length <= 4096, `${line.length} bytes`) // base64 makes 4 characters of 3 bytes
  }
})

t.test('the size of a cookie counts the attributes of this one response', async (t) => {
  const { visit } = onePage(await buildSession())
  const { fits } = await largestThatFits(visit, 'big')
  const response = await visit((session) => {
    session.options({ domain: 'shop.example' })
    session.set('big', 'y'.repeat(fits))
  })
  t.match(response.json(), { code: 'FST_LOGIN_COOKIE_TOO_LARGE' })
})

t.test('the error of a cookie too large names size and largest keys, no value, and the old one stays', async (t) => {
  const { visit, browser } = onePage(await buildSession({ cookieName: 'sid' }))
  await visit((session) => session.set('cart', ['pear']))
  const response = await visit((session) => {
    session.set('cart', 'x'.repeat(100))
    session.set('history', 'secretive'.repeat(400))
    session.set('theme', 'dark')
    session.set('avatar', 'x'.repeat(1000))
    session.set('action', () => 'not in the token at all')
    return 'done'
  })
  t.equal(response.statusCode, 500)
  t.match(response.json(), {
    code: 'FST_LOGIN_COOKIE_TOO_LARGE',
    message: new RegExp('^the cookie "sid" would take 6\\d{3} bytes .* 4096; ' +
      '.* history \\(3602\\), avatar \\(1002\\), cart \\(102\\)\\. The old cookie was kept')
  })
  t.notMatch(response.body, /secretive|dark/)
  t.same(setCookies(response), [])
  t.same(claimsOf(browser.cookie('sid')).data, { cart: ['pear'] })
  t.same((await visit((session) => session.data())).json(), { cart: ['pear'] })
})

t.test('an application may answer the error of a cookie too large itself', async (t) => {
  const app = await buildSession()
  app.setErrorHandler<{ code: string } & Error>((error, request, reply) => reply.code(507).send({
    code: error.code, data: request.session.data()
  }))
  const { visit } = onePage(app)
  await visit((session) => session.set('cart', 1))
  const response = await visit((session) => session.set('big', 'x'.repeat(5000)))
  t.match([response.statusCode, response.json()], [507, { code: 'FST_LOGIN_COOKIE_TOO_LARGE', data: { cart: 1 } }])
  t.same(setCookies(response), [])
})

t.test('a login or logout beside values too large for the cookie still stands, without those values', async (t) => {
  const { byId, userLoader } = people()
  const { visit, browser } = onePage(await build({ userLoader }))
  const who = async () => (await visit((_session, request) => request.getCurrentUser())).json() as unknown

  await visit((session) => session.set('cart', 'of a stranger'))
  const login = await visit(async (session, _request, reply) => {
    await reply.loginUser(byId.get('ann')!, { redirectUrl: false, remember: true })
    session.set('big', 'x'.repeat(5000))
  })
  t.match(login.json(), { code: 'FST_LOGIN_COOKIE_TOO_LARGE' })
  t.same(setCookies(login), ['_remember', 'session'])
  t.match(claimsOf(browser.cookie('session')), { uid: 'ann', data: undefined })
  t.match(await who(), { id: 'ann' })

  const logout = await visit(async (session, _request, reply) => {
    await reply.logoutUser()
    session.set('big', 'x'.repeat(5000))
  })
  t.match(logout.json(), { code: 'FST_LOGIN_COOKIE_TOO_LARGE' })
  t.same(setCookies(logout), ['-_remember', '-session'])
  t.same(await who(), null)
  t.equal(browser.jar.size, 0)
})

t.test('a login confirmed beside values too large for the cookie stands, with the values before them', async (t) => {
  const clock = new Clock()
  const { byId, userLoader } = people()
  const { visit, browser } = onePage(await build({ userLoader, clock: clock.read }))
  await visit(async (session, _request, reply) => {
    await reply.loginUser(byId.get('ann')!, { redirectUrl: false, fresh: false })
    session.set('cart', 1)
  })
  clock.advance(100)
  const response = await visit(async (session, _request, reply) => {
    await reply.confirmLogin()
    session.set('big', 'x'.repeat(5000))
  })
  t.match(response.json(), { code: 'FST_LOGIN_COOKIE_TOO_LARGE' })
  t.match(claimsOf(browser.cookie('session')), { uid: 'ann', fresh: true, auth_time: clock.seconds, data: { cart: 1 } })
})

t.test('a login that would not fit beside the values it keeps fails before anything changed', async (t) => {
  const { byId, userLoader } = people({ id: 'a'.repeat(500), name: 'Ann' })
  const app = await build({ userLoader, session: { keepOnLogin: ['cart'] } })
  const logins: unknown[] = []
  app.login.on('login', (event) => logins.push(event))
  const { visit, browser } = onePage(app)
  await visit((session) => session.set('cart', 'x'.repeat(2500)))
  const before = browser.cookie('session')
  const response = await visit(
    (_session, _request, reply) => reply.loginUser([...byId.values()][0]!, { redirectUrl: false })
  )
  t.match(response.json(), { code: 'FST_LOGIN_COOKIE_TOO_LARGE', message: /cart \(2502\)/ })
  t.same(setCookies(response), [])
  t.equal(browser.cookie('session'), before)
  t.same(logins, [])
})

t.test('the error of a cookie too large without values of the application says that there are none', async (t) => {
  const user = { id: 'a'.repeat(4000), name: 'Ann' }
  const { visit } = onePage(await build({ userLoader: () => user }))
  const response = await visit((_session, _request, reply) => reply.loginUser(user, { redirectUrl: false }))
  t.match(response.json(), { code: 'FST_LOGIN_COOKIE_TOO_LARGE', message: /the largest session keys are none/ })
  t.notMatch(response.body, /aaaa/)
})

t.test('a value that is not ASCII counts as the bytes it takes in the token', async (t) => {
  const { visit } = onePage(await buildSession())
  const { fits } = await largestThatFits(visit, 'big')
  t.equal((await visit((session) => session.set('big', 'é'.repeat(Math.floor(fits / 2))))).statusCode, 200)
  t.match(
    (await visit((session) => session.set('big', 'é'.repeat(fits)))).json(),
    { code: 'FST_LOGIN_COOKIE_TOO_LARGE' }
  )
})

// microdot M31: the size is not looked at, and the browser drops the cookie.
t.test('values that would not fit fail loudly, and the login stays in the old cookie', async (t) => {
  const { user, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'))
  const response = await ann.does((request) => { Object.assign(request.session, { big: 'x'.repeat(6800) }) })
  t.match(response.json(), { statusCode: 500, code: 'FST_LOGIN_COOKIE_TOO_LARGE' })
  t.strictSame(setCookies(response), [])
  t.match(await ann.who(), { user: 'ann' })
})
