import { createHash } from 'node:crypto'
import t from 'tap'
import { Browser, setCookies } from './support/browser.js'
import { DAY, START } from './support/clock.js'
import { site } from './support/site.js'
import { claimsOf, OTHER_SECRET, SECRET } from './support/tokens.js'

// What an older login extension gets wrong, and no other test says in these words.

t.test('the days one user chose are not those of the next user in the same browser', async (t) => {
  const { user, clock, visitor } = await site()
  const browser = visitor()
  await browser.signIn(user('ann'), { remember: 7 })
  await browser.signOut()
  await browser.signIn(user('bob'), { remember: true })
  t.match(claimsOf(browser.cookie('_remember')), { uid: 'bob', days: 30, exp: START / 1000 + 30 * DAY })
  browser.close()
  clock.advance(DAY)
  await browser.get('/members')
  t.match(claimsOf(browser.cookie('_remember')), { uid: 'bob', days: 30, exp: START / 1000 + 31 * DAY })
})

t.test('a handler that throws behind a guard runs once, whatever it throws', async (t) => {
  const ownError = Object.assign(new Error('own'), { code: 'FST_LOGIN_UNAUTHORIZED' })
  for (const error of [new TypeError('x is undefined'), new ReferenceError('y'), ownError]) {
    const { app, user } = await site()
    let runs = 0
    for (const [url, preHandler] of [['/guarded', app.login.guard()], ['/guarded/fresh', app.login.guardFresh()]] as const) {
      app.get(url, { preHandler }, async () => {
        runs++
        throw error
      })
    }
    const cookies = await app.login.cookiesFor(user('ann'))
    for (const url of ['/guarded', '/guarded/fresh']) t.equal((await app.inject({ url, cookies })).statusCode, 500)
    t.equal(runs, 2, error.name)
  }
})

t.test('secrets may hold any character or byte', async (t) => {
  for (const secret of ['geheim 🔑 ключ 秘密 geheim 🔑', Buffer.alloc(32, 0xff), [Buffer.alloc(64), SECRET]]) {
    const { user, visitor } = await site({ secret, userStamp: () => 'stamp', sessionProtection: 'strong' })
    const ann = visitor()
    await ann.signIn(user('ann'), { remember: 5 })
    t.match(await ann.who(), { user: 'ann', kind: 'fresh' })
    ann.close()
    t.match(await ann.who(), { user: 'ann', kind: 'stale' })
  }
})

t.test('the fingerprint in the cookie is keyed: it is no hash of the User-Agent, and another under another secret', async (t) => {
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

t.test('the way back kept in the session is gone after logout, and after it was used', async (t) => {
  const { user, visitor } = await site({ nextIn: 'session', session: { keepOnLogout: ['theme'], keepOnLogin: ['theme'] } })
  const browser = visitor()
  await browser.get('/members?page=7')
  t.equal(claimsOf(browser.cookie('session')).next, '/members?page=7')
  await browser.signOut()
  t.match(await browser.signIn(user('ann')), { headers: { location: '/' } })
  t.equal(claimsOf(browser.cookie('session')).next, undefined)
})

t.test('cookies with a prefix or without SameSite are cleared in the only way browsers accept', async (t) => {
  const host = { secure: true, path: '/' } as const
  const { user, visitor } = await site({
    session: { cookieName: '__Host-session', cookie: host },
    remember: { cookieName: '__Secure-remember', cookie: { secure: true, sameSite: 'none' } }
  })
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: true })
  const response = await ann.signOut()
  t.strictSame(setCookies(response), ['-__Host-session', '-__Secure-remember'])
  t.match(response.cookies, [
    { name: '__Secure-remember', secure: true, sameSite: 'None', path: '/', httpOnly: true, domain: undefined },
    { name: '__Host-session', secure: true, sameSite: 'Lax', path: '/', httpOnly: true, domain: undefined }
  ])
})

t.test('by default cookies are HttpOnly and Lax, and remember 30 days', async (t) => {
  const { app, user } = await site()
  app.post('/in', async (_request, reply) => reply.loginUser(user('ann'), { remember: true }))
  const { cookies } = await app.inject({ method: 'POST', url: '/in' })
  t.match(cookies, [{ httpOnly: true, sameSite: 'Lax', maxAge: 30 * DAY }, { httpOnly: true, sameSite: 'Lax' }])
})

t.test('a group of routes can have its own login page, also after other routes were declared', async (t) => {
  const { app } = await site({ loginUrl: '/login' })
  app.register(async (blog) => {
    blog.get('/early', async () => 'early')
    blog.addHook('preHandler', app.login.guard({ loginUrl: '/blog/login' }))
    blog.get('/login', async () => 'form')
    blog.get('/late', async () => 'late')
    blog.get('/open', { config: { login: { public: true } } }, async () => 'open')
    blog.options('/late', async () => 'options')
  }, { prefix: '/blog' })
  const browser = new Browser(app)
  for (const page of ['early', 'late']) {
    t.match(await browser.get(`/blog/${page}`), { statusCode: 302, headers: { location: `/blog/login?next=%2Fblog%2F${page}` } })
  }
  for (const [method, page, body] of [['GET', 'login', 'form'], ['GET', 'open', 'open'], ['OPTIONS', 'late', 'options']] as const) {
    t.equal((await browser.send({ method, url: `/blog/${page}` })).body, body, 'exempt')
  }
  t.match(await browser.get('/members'), { headers: { location: '/login?next=%2Fmembers' } })
})
