import cookie from '@fastify/cookie'
import Fastify from 'fastify'
import t from 'tap'
import fastifyLogin from '../../src/index.js'
import { build, buildSession } from '../support/app.js'
import { Browser, onePage, setCookies } from '../support/browser.js'
import { Clock } from '../support/clock.js'
import { claimsOf, SECRET } from '../support/tokens.js'
import { people } from '../support/users.js'

t.test('a response sets no cookie when nothing changed, and one when something did', async (t) => {
  const { visit } = onePage(await buildSession())
  t.same(setCookies(await visit((session) => session.get('cart'))), [], 'a stranger who only looks')
  t.same(setCookies(await visit((session) => session.set('cart', 1))), ['session'])
  t.same(setCookies(await visit((session) => session.get('cart'))), [])
  t.same(setCookies(await visit((session) => session.set('cart', 1))), [], 'the same value again')
  t.same(setCookies(await visit((session) => session.unset('other'))), [])
  t.same(setCookies(await visit((session) => {
    session.set('cart', 2)
    session.set('cart', 1)
  })), [], 'there and back')
  t.same(setCookies(await visit((session) => {
    for (let size = 0; size < 5; size++) session.set('cart', size)
    session.touch()
    session.regenerate(['cart'])
  })), ['session'], 'many changes')
})

t.test('a route that never asks verifies nothing, sets nothing and adds no Vary', async (t) => {
  let reads = 0
  const app = await buildSession({
    clock: () => {
      reads++
      return Date.now()
    }
  })
  app.get('/plain', async (request) => typeof request.session.options)
  const response = await app.inject({ url: '/plain', cookies: { session: 'garbage' } })
  t.match(response, { statusCode: 200, body: 'function' })
  t.equal(response.headers['set-cookie'], undefined)
  t.equal(response.headers.vary, undefined)
  t.equal(reads, 0, 'no token was held against the clock')
})

t.test('a login never asked for is neither verified nor announced, and not extended', async (t) => {
  const clock = new Clock()
  const app = await build({ clock: clock.read })
  const announced: string[] = []
  app.login.on('invalidToken', ({ cookie }) => announced.push(cookie))
  app.get('/plain', async () => 'plain')
  const cookies = await app.login.cookiesFor({ id: 'ann' } as object, { remember: true })
  clock.advance(86_000)
  for (const sent of [cookies, { session: 'garbage', _remember: 'garbage' }]) {
    const response = await app.inject({ url: '/plain', cookies: sent })
    t.match([response.statusCode, response.headers['set-cookie'], response.headers.vary], [200, undefined, undefined])
  }
  t.same(announced, [])
})

t.test('one Set-Cookie per name when a later onSend hook throws', async (t) => {
  const { byId, userLoader } = people()
  for (const cookiesFirst of [true, false]) {
    const app = Fastify()
    if (cookiesFirst) await app.register(cookie)
    await app.register(fastifyLogin, { secret: SECRET, userLoader })
    let failing = true
    app.addHook('onSend', async () => {
      if (!failing) return
      failing = false
      throw new Error('late')
    })
    app.post('/login', async (request, reply) => {
      reply.setCookie('own', 'x')
      request.session.set('cart', 1)
      return reply.loginUser(byId.get('ann')!, { remember: true })
    })
    const response = await app.inject({ method: 'POST', url: '/login' })
    t.equal(response.statusCode, 500)
    t.same(setCookies(response), ['_remember', 'own', 'session'])
  }
})

t.test('a later onSend hook that throws again and again still leaves one Set-Cookie per name', async (t) => {
  const app = await buildSession()
  app.addHook('onSend', async () => { throw new Error('late') })
  const { visit } = onePage(app)
  const response = await visit((session) => session.set('cart', 1))
  t.equal(response.statusCode, 500)
  t.same(setCookies(response), ['session'])
})

t.test('what an error handler changes goes out, in one cookie with what the handler changed', async (t) => {
  const app = await buildSession()
  app.setErrorHandler((_error, request, reply) => {
    request.session.set('notice', 'sorry')
    return reply.code(500).send('sorry')
  })
  const { visit, browser } = onePage(app)
  const response = await visit((session) => {
    session.set('cart', 1)
    throw new Error('no')
  })
  t.match([response.statusCode, response.body], [500, 'sorry'])
  t.same(setCookies(response), ['session'])
  t.same(claimsOf(browser.cookie('session')).data, { cart: 1, notice: 'sorry' })
})

t.test('what a hook changes after the cookie was written replaces it when the response fails', async (t) => {
  const app = await buildSession()
  let failing = true
  app.addHook('onSend', async (request) => {
    if (!failing) return
    failing = false
    request.session.set('cart', 2)
    throw new Error('late')
  })
  const { visit, browser } = onePage(app)
  t.same(setCookies(await visit((session) => session.set('cart', 1))), ['session'])
  t.same(claimsOf(browser.cookie('session')).data, { cart: 2 })
})

t.test('changes go out with a 404, a 500, a redirect, a stream and a HEAD', async (t) => {
  const app = await buildSession()
  app.addHook('onRequest', async (request) => request.session.set('at', request.url))
  app.get('/error', async () => { throw new Error('no') })
  app.get('/redirect', async (_request, reply) => reply.redirect('/'))
  app.get('/stream', (_request, reply) => reply.send(new Blob(['streamed']).stream()))
  const table = [['/nowhere', 404], ['/error', 500], ['/redirect', 302], ['/stream', 200]] as const
  for (const [url, statusCode] of table) {
    const browser = new Browser(app)
    const response = await browser.get(url)
    t.equal(response.statusCode, statusCode, url)
    t.same(setCookies(response), ['session'], url)
    t.same(claimsOf(browser.cookie('session')).data, { at: url })
  }
  t.same(setCookies(await app.inject({ method: 'HEAD', url: '/stream' })), ['session'])
})

t.test('a login stands, whatever the handler does next', async (t) => {
  const { byId, userLoader } = people()
  const app = await build({ userLoader })
  app.post('/login', async (_request, reply) => {
    await reply.loginUser(byId.get('ann')!, { redirectUrl: false })
    throw new Error('no')
  })
  app.post('/logout', async (_request, reply) => {
    await reply.logoutUser()
    throw new Error('no')
  })
  app.get('/me', async (request) => await request.getCurrentUser())
  const browser = new Browser(app)
  t.equal((await browser.post('/login')).statusCode, 500)
  t.match((await browser.get('/me')).json(), { id: 'ann' })
  t.equal((await browser.post('/logout')).statusCode, 500)
  t.same((await browser.get('/me')).json(), null)
})

t.test('other cookies of the response stay, also those whose name begins like ours', async (t) => {
  const { visit } = onePage(await buildSession())
  const response = await visit((session, _request, reply) => {
    reply.header('set-cookie', 'raw=1')
    reply.setCookie('session2', 'x').setCookie('other', 'y')
    session.set('cart', 1)
  })
  t.same(setCookies(response), ['other', 'raw', 'session', 'session2'])
})

t.test('touch() renews the cookie though nothing changed, and makes none', async (t) => {
  const clock = new Clock()
  const { visit, browser } = onePage(await buildSession({ clock: clock.read, idleSeconds: 600 }))
  t.same(setCookies(await visit((session) => session.touch())), [], 'no session, no cookie')
  await visit((session) => session.set('cart', 1))
  clock.advance(10)
  t.same(setCookies(await visit((session) => session.touch())), ['session'])
  t.match(claimsOf(browser.cookie('session')), {
    iat: clock.seconds, exp: clock.seconds + 600, born: clock.seconds - 10, data: { cart: 1 }
  })
  t.same(setCookies(await visit((session) => {
    session.touch()
    session.delete()
  })), ['-session'])
})

t.test('a session whose last value goes is cleared', async (t) => {
  const { visit } = onePage(await buildSession())
  await visit((session) => session.set('cart', 1))
  t.same(setCookies(await visit((session) => session.unset('cart'))), ['-session'])
})

t.test('session.delete() ends everything this browser has: values, login, remember cookie', async (t) => {
  const { byId, userLoader } = people()
  const app = await build({ userLoader })
  const { visit, browser } = onePage(app)
  app.post('/login', async (_request, reply) => reply.loginUser(byId.get('ann')!, { remember: 7 }))
  await browser.post('/login')
  await visit((session) => session.set('cart', 1))
  const response = await visit(async (session, request) => {
    session.delete()
    return [session.data(), await request.getCurrentUser(), request.loginState]
  })
  t.same(response.json(), [{}, null, { kind: 'anonymous' }])
  t.same(setCookies(response), ['-_remember', '-session'])

  await browser.post('/login')
  t.same(setCookies(await visit((session) => {
    session.delete()
    session.set('cart', 2)
  })), ['-_remember', 'session'])
  t.match(claimsOf(browser.cookie('session')), { uid: undefined, data: { cart: 2 } })
})
