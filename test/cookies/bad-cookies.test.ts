import t from 'tap'
import type { FastifyLoginOptions, LoginEvents } from '../../src/index.js'
import { common, hostile, kinds, now, raw } from '../hostile/cookies.js'
import { build } from '../support/app.js'
import { setCookies } from '../support/browser.js'
import { Clock, DAY, START } from '../support/clock.js'
import { captureLog } from '../support/log.js'
import { site } from '../support/site.js'
import { forge } from '../support/tokens.js'

const clock = new Clock()

/** An application whose loader knows everybody, so that whoever gets that far is somebody. */
async function start (options: FastifyLoginOptions = {}) {
  const log = captureLog()
  const loaded: unknown[] = []
  const app = await build({
    userLoader: (id) => {
      loaded.push(id)
      return { id } as object
    },
    session: { cookieName: kinds.session.name },
    remember: { cookieName: kinds.remember.name },
    clock: clock.read,
    ...options
  }, { logger: log.logger })
  const events: LoginEvents['invalidToken'][] = []
  app.login.on('invalidToken', (event) => events.push(event))
  app.get('/who', async (request) => ({
    user: await request.getCurrentUser(), kind: request.loginState.kind, data: request.session.data()
  }))
  app.get('/guarded', { preHandler: app.login.guard() }, async () => 'secret page')
  return { app, log, loaded, events }
}

const ANONYMOUS = { user: null, kind: 'anonymous', data: {} }

t.test('the tokens that hostile ones are made from pass', async (t) => {
  const { app, loaded } = await start()
  for (const { name, typ, claims } of Object.values(kinds)) {
    const { user } = (await app.inject({
      url: '/who', headers: { cookie: `${name}=${forge(claims, { typ })}` }
    })).json()
    t.same(user, { id: 'ann' })
    t.match(
      (await app.inject({ url: '/guarded', headers: { cookie: `${name}=${forge(claims, { typ })}` } })),
      { body: 'secret page' }
    )
  }
  t.same(loaded, ['ann', 'ann', 'ann', 'ann'])
})

for (const kind of ['session', 'remember'] as const) {
  t.test(`nobody comes in with a ${kind} cookie that holds`, async (t) => {
    const { app, log, loaded, events } = await start()
    const cookie = kinds[kind].name
    for (const [name, value, reason] of hostile(kind)) {
      t.test(name, async (t) => {
        log.clear()
        events.length = 0
        const headers = { cookie: `${cookie}=${value}` }
        const response = await app.inject({ url: '/who', headers })
        t.equal(response.statusCode, 200)
        t.same(response.json(), ANONYMOUS)
        t.same(setCookies(response), [`-${cookie}`])

        t.same(events.map(({ request, ...rest }) => ({ url: request.url, ...rest })), [{ url: '/who', cookie, reason }])
        t.match(log.entries('debug'), [{ cookie, reason, msg: 'a cookie held no valid token and is cleared' }])
        t.same(log.entries('error'), [])
        const parts = value.split('.').filter((part) => part.length > 4)
        t.same(parts.filter((part) => log.text().includes(part)), [], 'nothing of the token is in the log')

        const guarded = await app.inject({ url: '/guarded', headers })
        t.match(guarded, { statusCode: 302, headers: { location: '/login?next=%2Fguarded' } })
        t.same(setCookies(guarded), [`-${cookie}`])
        t.same(loaded, [], 'no user was looked for')
      })
    }
  })
}

t.test('claims that are not ours name nobody', async (t) => {
  const { app, loaded } = await start()
  const table = [
    { sub: 'ann' }, { sub: { id: 'ann' } }, { id: 'ann', user: 'ann', user_id: 'ann' }, { sid: 'x', auth_time: now },
    { data: { uid: 'ann' } }
  ]
  for (const changes of table) {
    const token = raw(JSON.stringify({ ck: kinds.session.name, ...common, ...changes }), { typ: kinds.session.typ })
    const response = await app.inject({ url: '/who', cookies: { [kinds.session.name]: token } })
    t.match(response.json(), { user: null, kind: 'anonymous' }, JSON.stringify(changes))
  }
  t.same(loaded, [])
})

t.test('with an audience only tokens for it count', async (t) => {
  const { app, loaded, events } = await start({ audience: 'shop' })
  const table = [
    [undefined, false], ['blog', false], [['shop'], false], [['shop', 'blog'], false], ['', false], [{}, false],
    ['shop', true]
  ] as const
  for (const [aud, accepted] of table) {
    for (const { name, typ, claims } of Object.values(kinds)) {
      events.length = loaded.length = 0
      const token = raw(JSON.stringify({ ...claims, aud }), { typ })
      const response = await app.inject({ url: '/who', cookies: { [name]: token } })
      t.equal(response.json().user !== null, accepted, `${name} with ${JSON.stringify(aud)}`)
      t.equal(loaded.length, accepted ? 1 : 0)
      if (!accepted) {
        t.same(setCookies(response), [`-${name}`])
        t.match(events, [{ reason: 'claims' }])
      }
    }
  }
})

t.test('of two cookies with one name the first counts, good or bad', async (t) => {
  const { app } = await start()
  const { name, claims } = kinds.session
  const ann = forge(claims)
  const bob = forge({ ...claims, uid: 'bob' })
  const send = (...values: string[]) =>
    app.inject({ url: '/who', headers: { cookie: values.map((value) => `${name}=${value}`).join('; ') } })
  t.match((await send(ann, bob)).json(), { user: { id: 'ann' } })
  t.match((await send(bob, ann)).json(), { user: { id: 'bob' } })
  t.match((await send(ann, 'garbage')).json(), { user: { id: 'ann' } })
  const forged = await send('garbage', ann)
  t.same(forged.json(), ANONYMOUS)
  t.same(setCookies(forged), [`-${name}`])
})

t.test('a token counts under its own name only, however that name is spelt', async (t) => {
  const { app, loaded } = await start()
  const token = forge(kinds.session.claims)
  for (const cookie of [
    `SID=${token}`, `session=${token}`, `sid =${token}x`, `xsid=${token}`, `__Host-sid=${token}`, `a="; sid=${token}"`
  ]) {
    const response = await app.inject({ url: '/who', headers: { cookie } })
    t.match([response.statusCode, response.json()], [200, ANONYMOUS], cookie.replace(token, '…'))
  }
  t.same(loaded, [])
})

t.test('percent-encoding changes nothing about a good token', async (t) => {
  const { app } = await start()
  const token = forge(kinds.session.claims).replaceAll('.', '%2E')
  t.match((await app.inject({ url: '/who', headers: { cookie: `sid=${token}` } })).json(), { user: { id: 'ann' } })
})

t.test('a bad session cookie stops nothing else: the remember cookie restores', async (t) => {
  const { app } = await start()
  const remember = forge(kinds.remember.claims, { typ: kinds.remember.typ })
  const response = await app.inject({ url: '/who', cookies: { sid: 'garbage', stay: remember } })
  t.match(response.json(), { user: { id: 'ann' }, kind: 'stale' })
  t.same(setCookies(response), ['sid', 'stay'])
})

t.test('a bad remember cookie stops nothing else: the requestLoader still runs', async (t) => {
  const { app } = await start({ requestLoader: () => ({ id: 'robot' }) as object })
  const response = await app.inject({ url: '/who', cookies: { stay: 'garbage' } })
  t.match(response.json(), { user: { id: 'robot' }, kind: 'request' })
  t.same(setCookies(response), ['-stay'])
})

t.test('two bad cookies are both cleared, and each is announced once', async (t) => {
  const { app, events } = await start()
  const response = await app.inject({ url: '/who', cookies: { sid: 'garbage', stay: 'rubbish' } })
  t.same(setCookies(response), ['-sid', '-stay'])
  t.same(events.map(({ cookie }) => cookie), ['sid', 'stay'])
})

t.test('a login over a bad cookie replaces it', async (t) => {
  const { app } = await start()
  app.post('/login', async (_request, reply) => reply.loginUser({ id: 'ann' } as object))
  const response = await app.inject({ method: 'POST', url: '/login', cookies: { sid: 'garbage', stay: 'rubbish' } })
  t.equal(response.statusCode, 302)
  t.same(setCookies(response), ['-stay', 'sid'])
})

// microdot M21: freshness is looked at before there is a user.
t.test('a session that says fresh and names nobody lends its freshness to no one who is remembered', async (t) => {
  const { user, visitor } = await site()
  const ann = visitor()
  await ann.signIn(user('ann'), { remember: true })
  const now = START / 1000
  for (const claims of [{ fresh: true }, { fresh: true, auth_time: now, sid: 'sid' }]) {
    const value = forge({ ck: 'session', iat: now, exp: now + DAY, born: now, ...claims })
    ann.keep({ session: value })
    t.match(await ann.get('/fresh'), { statusCode: 302 })
    t.match(await ann.who(), { user: 'ann', kind: 'stale' })
  }
})
