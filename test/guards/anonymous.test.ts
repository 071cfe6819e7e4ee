import t from 'tap'
import type { GuardAnonymousOptions } from '../../src/index.js'
import { build } from '../support/app.js'
import { setCookies } from '../support/browser.js'

t.test('logged-in users are sent away from the login page, strangers are not', async (t) => {
  const targets: [options: GuardAnonymousOptions | undefined, location: string][] = [
    [undefined, '/'],
    [{}, '/'],
    [{ redirectUrl: '/home?x=1#y' }, '/home?x=1#y'],
    [{ redirectUrl: '/für alle' }, '/f%C3%BCr%20alle'],
    [{ redirectUrl: 'https://own.example/' }, 'https://own.example/'],
    [{ redirectUrl: 'https://müller.example/ü' }, 'https://xn--mller-kva.example/%C3%BC']
  ]
  for (const [options, location] of targets) {
    const app = await build()
    app.all('/login', { preHandler: app.login.guardAnonymous(options) }, async () => 'form')
    for (const method of ['GET', 'HEAD', 'POST'] as const) {
      t.match(await app.inject({ method, url: '/login' }), { statusCode: 200 })
      for (const fresh of [true, false]) {
        const cookies = await app.login.cookiesFor({ id: 'ann' }, { fresh })
        t.match(await app.inject({ method, url: '/login?next=/x', cookies }), {
          statusCode: 302, headers: { location }, body: ''
        })
      }
    }
  }
})

t.test('a user who comes back through remember-me is sent away too, and restored', async (t) => {
  const app = await build()
  app.get('/login', { onRequest: app.login.guardAnonymous({ redirectUrl: '/home' }) }, async () => 'form')
  const { _remember } = await app.login.cookiesFor({ id: 'ann' }, { remember: true })
  const response = await app.inject({ url: '/login', cookies: { _remember: _remember! } })
  t.match(response, { statusCode: 302, headers: { location: '/home' } })
  t.strictSame(setCookies(response), ['_remember', 'session'])
})

t.test('a user who is gone or not active is a stranger to guardAnonymous', async (t) => {
  const users: Record<string, { id: string, isActive: boolean }> = { bob: { id: 'bob', isActive: false } }
  const app = await build({ userLoader: (id) => users[id] })
  app.get('/login', { onRequest: app.login.guardAnonymous() }, async () => 'form')
  for (const id of ['ann', 'bob']) {
    t.match(await app.inject({ url: '/login', cookies: await app.login.cookiesFor({ id }) }), { statusCode: 200 }, id)
  }
})

t.test('where guardAnonymous cannot tell who is there, the page is an error and the cookies stay', async (t) => {
  for (const userLoader of [() => { throw new Error('down') }, async () => { throw new Error('down') }]) {
    const app = await build({ userLoader })
    app.get('/login', { onRequest: app.login.guardAnonymous() }, async () => 'form')
    const response = await app.inject({
      url: '/login', cookies: await app.login.cookiesFor({ id: 'ann' }, { remember: true })
    })
    t.match(response, { statusCode: 500, body: /down/ })
    t.strictSame(setCookies(response), [])
    t.match(await app.inject('/login'), { statusCode: 200, body: 'form' }, 'no cookie, no question')
  }
})

t.test('guardAnonymous asks nobody at a preflight, and repeats no method at the page it sends people to', async (t) => {
  const app = await build()
  const preHandler = app.login.guardAnonymous({ redirectUrl: '/home' })
  app.options('/login', { preHandler }, async () => 'go on')
  app.put('/login', { preHandler }, async () => 'form')
  const cookies = await app.login.cookiesFor({ id: 'ann' })
  t.match(await app.inject({ method: 'OPTIONS', url: '/login', cookies }), {
    statusCode: 200, headers: { vary: undefined }
  })
  t.match(await app.inject({ method: 'PUT', url: '/login', cookies }), {
    statusCode: 303, headers: { location: '/home' }
  })
})
