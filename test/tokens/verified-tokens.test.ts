import t from 'tap'
import { build, buildSession } from '../support/app.js'
import { Browser, onePage, setCookies } from '../support/browser.js'
import { Clock } from '../support/clock.js'
import { claimsOf } from '../support/tokens.js'
import { people } from '../support/users.js'

t.test('what one request changes in place is never seen by another with the same cookie', async (t) => {
  for (const verifiedCacheSize of [0, 5]) {
    const { visit, browser } = onePage(await buildSession({ verifiedCacheSize }))
    await visit((session) => session.set('cart', { items: ['pear'], size: 1 }))
    const cookie = `session=${browser.cookie('session')}`
    const spoil = (session: Parameters<Parameters<typeof visit>[0]>[0]) => {
      const cart = session.get('cart') as { items: string[], size?: number }
      cart.items.push('worm')
      delete cart.size
      const data = session.data() as Record<string, unknown>
      data.cart = 'gone'
      return cart
    }
    for (let time = 0; time < 3; time++) {
      t.same((await visit((session) => session.get('cart'), { cookie })).json(), { items: ['pear'], size: 1 })
      t.same((await visit(spoil, { cookie })).json(), { items: ['pear', 'worm'] })
    }
  }
})

t.test('two requests at once with one cookie each have values of their own', async (t) => {
  const app = await buildSession()
  let arrived = 0
  let open: () => void
  const both = new Promise<void>((resolve) => { open = resolve })
  app.get('/add/:name', async (request) => {
    const list = request.session.get('list') as string[]
    list.push((request.params as { name: string }).name)
    if (++arrived === 2) open()
    await both
    return list
  })
  const { visit, browser } = onePage(app)
  await visit((session) => session.set('list', ['first']))
  const cookies = { session: browser.cookie('session')! }
  for (let time = 0; time < 2; time++) await visit((session) => session.get('list')) // known as verified from now on
  const answers = await Promise.all(['a', 'b'].map((name) => app.inject({ url: `/add/${name}`, cookies })))
  t.same(answers.map((answer) => answer.json()), [['first', 'a'], ['first', 'b']])
  t.same(answers.map((answer) => claimsOf((answer.cookies as { value: string }[])[0]!.value).data), [
    { list: ['first', 'a'] }, { list: ['first', 'b'] }
  ])
})

t.test('a session known as verified ends when it is due', async (t) => {
  const clock = new Clock()
  const { visit, browser } = onePage(await buildSession({ idleSeconds: 100, clock: clock.read }))
  await visit((session) => session.set('cart', 1))
  const cookie = `session=${browser.cookie('session')}`
  const look = async () => (await visit((session) => session.get('cart'), { cookie })).json() as unknown
  for (let time = 0; time < 3; time++) t.equal(await look(), 1)
  clock.advance(99)
  t.equal(await look(), 1)
  clock.advance(1)
  t.equal(await look(), null)
})

t.test('what counts for a user is asked at every request: loader, stamp and fingerprint', async (t) => {
  const { byId } = people()
  const { visit, browser } = onePage(await build({
    userLoader: (id) => (byId.get(id) ?? null) as object | null,
    userStamp: (user) => (user as { password?: string }).password ?? '',
    sessionProtection: 'strong'
  }))
  const who = async (userAgent = 'lightMyRequest') => {
    const response = await visit((_session, request) => request.getCurrentUser(), { 'user-agent': userAgent })
    return [(response.json() as { id: string } | null)?.id, setCookies(response).length]
  }
  /** And comes back until the token is known as verified. */
  const signIn = async () => {
    await visit((_session, _request, reply) => reply.loginUser(byId.get('ann')!, { redirectUrl: false }))
    for (let time = 0; time < 3; time++) t.same(await who(), ['ann', 0])
  }

  await signIn()
  byId.get('ann')!.password = 'changed'
  t.same(await who(), [undefined, 1], 'another stamp')
  await signIn()
  t.same(await who('another browser'), [undefined, 1])
  await signIn()
  byId.delete('ann')
  t.same(await who(), [undefined, 1], 'the user is gone')
  t.equal(browser.cookie('session'), undefined)
})

t.test('a login that changed its own claims does not change those of the next request', async (t) => {
  const clock = new Clock()
  const { byId, userLoader } = people()
  const app = await build({ userLoader, clock: clock.read })
  const { visit } = onePage(app)
  const cookies = await app.login.cookiesFor(byId.get('ann')!, { fresh: false })
  const cookie = `session=${cookies.session}`
  const state = async () => (await visit(async (_session, request) => {
    await request.getCurrentUser()
    return request.loginState
  }, { cookie })).json() as unknown
  const before = await state()
  clock.advance(10)
  await visit((_session, _request, reply) => reply.confirmLogin(), { cookie })
  await visit((_session, _request, reply) => reply.logoutUser(), { cookie })
  t.same(await state(), before)
  t.match(before, { kind: 'stale', userId: 'ann' })
})

t.test('a cache of one entry serves many browsers rightly', async (t) => {
  const app = await buildSession({ verifiedCacheSize: 1 })
  app.get('/set/:name', async (request) => {
    request.session.set('name', (request.params as { name: string }).name)
    return 'set'
  })
  app.get('/get', async (request) => request.session.get('name'))
  const names = ['ann', 'bob', 'cyd']
  const browsers = names.map(() => new Browser(app))
  await Promise.all(browsers.map((browser, i) => browser.get(`/set/${names[i]}`)))
  for (let round = 0; round < 3; round++) {
    for (const [i, browser] of browsers.entries()) {
      for (let time = 0; time < 3; time++) t.equal((await browser.get('/get')).body, names[i])
    }
    t.same((await Promise.all(browsers.map((browser) => browser.get('/get')))).map(({ body }) => body), names)
  }
})
