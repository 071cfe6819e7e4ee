import { createHmac } from 'node:crypto'
import t from 'tap'
import type { FastifyLoginOptions, LoginEvents } from '../../src/index.js'
import type { InvalidReason } from '../../src/tokens/claims.js'
import { build } from '../support/app.js'
import { setCookies } from '../support/browser.js'
import { Clock, DAY, START } from '../support/clock.js'
import { captureLog } from '../support/log.js'
import { site } from '../support/site.js'
import { forge, OTHER_SECRET, SECRET } from '../support/tokens.js'

const clock = new Clock()
const now = clock.seconds
const common = { iat: now - 10, exp: now + 500, born: now - 100 }
const login = { uid: 'ann', sid: 'some-login', auth_time: now - 100 }

/** Both cookies: their name, a token type, claims that pass. */
const kinds = {
  session: { name: 'sid', typ: 'session+jwt', claims: { ck: 'sid', ...common, ...login, fresh: true, data: { cart: 1 } } },
  remember: { name: 'stay', typ: 'remember+jwt', claims: { ck: 'stay', ...common, ...login, days: 7 } }
}
type Kind = keyof typeof kinds

const base64 = (text: string) => Buffer.from(text).toString('base64url')

/** A token whose header and payload are what no library would sign; the signature is right. */
function raw (payload: string, header: Record<string, unknown>): string {
  const signed = `${base64(JSON.stringify({ alg: 'HS256', ...header }))}.${base64(payload)}`
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Another spelling of the same signature: the last two bits of its last character say nothing. */
function respelt (token: string): string {
  const last = LETTERS.indexOf(token.at(-1)!)
  return token.slice(0, -1) + LETTERS[last ^ 1]
}

/** Name, value, and the reason given. */
function hostile (kind: Kind): [string, string, InvalidReason][] {
  const { typ, claims } = kinds[kind]
  const other = kinds[kind === 'session' ? 'remember' : 'session']
  const good = forge(claims, { typ })
  const [header, payload, signature] = good.split('.') as [string, string, string]
  const without = (name: string) => raw(JSON.stringify({ ...claims, [name]: undefined }), { typ })
  const having = (changes: object) => raw(JSON.stringify({ ...claims, ...changes }), { typ })
  /** A literal JSON.stringify would never write. */
  const literal = (name: string, value: string) => raw(JSON.stringify({ ...claims, [name]: '?' }).replace('"?"', value), { typ })
  return [
    ['garbage', 'garbage', 'malformed'],
    ['nothing', '', 'malformed'],
    ['dots', '..', 'malformed'],
    ['many dots', '.'.repeat(8192), 'malformed'],
    ['8 kB of junk', 'junk'.repeat(2048), 'malformed'],
    ['8 kB of junk in three parts', `${'a'.repeat(2700)}.${'b'.repeat(2700)}.${'c'.repeat(2700)}`, 'malformed'],
    ['a number', '12345', 'malformed'],
    ['JSON', encodeURIComponent('{"uid":"ann"}'), 'malformed'],
    ['percent signs', '%', 'malformed'],
    ['broken percent-encoding', '%E0%A4%A', 'malformed'],
    ['a NUL byte', `${good}%00`, 'signature'],
    ['a line break', `${good}%0D%0Aset-cookie:%20a=b`, 'signature'],
    ['percent-encoded twice', good.replaceAll('.', '%252E'), 'malformed'],
    ['not ASCII', 'é', 'malformed'],
    ['not ASCII behind a good token', `${good}é`, 'signature'],
    ['not ASCII in UTF-8', encodeURIComponent('пароль🔑'), 'malformed'],
    ['quotes', '"quoted"', 'malformed'],
    ['__proto__', '__proto__', 'malformed'],

    ['no signature', `${header}.${payload}.`, 'signature'],
    ['two parts', `${header}.${payload}`, 'malformed'],
    ['four parts', `${good}.${signature}`, 'malformed'],
    ['a signature cut off', good.slice(0, -3), 'signature'],
    ['a signature respelt', respelt(good), 'malformed'],
    ['a padded signature', `${good}=`, 'signature'],
    ['another payload', `${header}.${base64(JSON.stringify({ ...claims, uid: 'bob' }))}.${signature}`, 'signature'],
    ['another header', `${base64(`{"alg":"HS256","typ":"${typ}","kid":"1"}`)}.${payload}.${signature}`, 'signature'],
    ['another secret', forge(claims, { typ, secret: OTHER_SECRET }), 'signature'],
    ['an empty secret', forge(claims, { typ, secret: ' ' }), 'signature'],

    ['alg none', `${base64(`{"alg":"none","typ":"${typ}"}`)}.${payload}.`, 'signature'],
    ['alg none with a signature', `${base64(`{"alg":"none","typ":"${typ}"}`)}.${payload}.${signature}`, 'algorithm'],
    ['alg nOnE', `${base64(`{"alg":"nOnE","typ":"${typ}"}`)}.${payload}.${signature}`, 'algorithm'],
    ['no alg', `${base64(`{"typ":"${typ}"}`)}.${payload}.${signature}`, 'algorithm'],
    ['alg HS384', forge(claims, { typ, algorithm: 'HS384' }), 'algorithm'],
    ['alg HS512', forge(claims, { typ, algorithm: 'HS512' }), 'algorithm'],
    ['alg RS256', `${base64(`{"alg":"RS256","typ":"${typ}"}`)}.${payload}.${signature}`, 'algorithm'],
    ['a crit header', raw(JSON.stringify(claims), { typ, crit: ['exp'], exp: 1 }), 'malformed'],
    ['a header that is no object', `${base64('null')}.${payload}.${signature}`, 'malformed'],

    ['the common typ', forge(claims, { typ: 'JWT' }), 'type'],
    ['no typ', raw(JSON.stringify(claims), {}), 'type'],
    ['the typ of the other cookie', forge(claims, { typ: other.typ }), 'type'],
    ['the token of the other cookie', forge(other.claims, { typ: other.typ }), 'type'],
    ['the claims of the other cookie', forge(other.claims, { typ }), 'claims'],

    ['a payload that is a string', raw('"ann"', { typ }), 'malformed'],
    ['a payload that is a list', raw('["ann"]', { typ }), 'malformed'],
    ['a payload that is null', raw('null', { typ }), 'malformed'],
    ['a payload that is no JSON', raw('{"uid":', { typ }), 'malformed'],
    ['an empty object', raw('{}', { typ }), 'claims'],

    ['expired', having({ exp: now - 1 }), 'expired'],
    ['expired just now', having({ exp: now }), 'expired'],
    ['without exp', without('exp'), 'claims'],
    ['exp as string', having({ exp: String(now + 500) }), 'claims'],
    ['exp as float', having({ exp: now + 0.5 }), 'claims'],
    ['exp 1e400', literal('exp', '1e400'), 'claims'],
    ['exp 1e300', literal('exp', '1e300'), 'claims'],
    ['exp negative', having({ exp: -1 }), 'claims'],
    ['exp -1e400', literal('exp', '-1e400'), 'claims'],
    ['exp null', having({ exp: null }), 'claims'],
    ['exp as list', having({ exp: [now + 500] }), 'claims'],
    ['exp true', having({ exp: true }), 'claims'],
    ['without iat', without('iat'), 'claims'],
    ['iat as string', having({ iat: String(now) }), 'claims'],
    ['without born', without('born'), 'claims'],
    ['born 1e400', literal('born', '1e400'), 'claims'],
    ['nbf to come', having({ nbf: 9_999_999_999 }), 'malformed'],

    ['uid as object', having({ uid: { id: 'ann' } }), 'claims'],
    ['uid as list', having({ uid: ['ann'] }), 'claims'],
    ['uid true', having({ uid: true }), 'claims'],
    ['uid null', having({ uid: null }), 'claims'],
    ['uid empty', having({ uid: '' }), 'claims'],
    ['uid 1e400', literal('uid', '1e400'), 'claims'],
    ['uid without sid', without('sid'), 'claims'],
    ['uid without auth_time', without('auth_time'), 'claims'],
    ['sid as number', having({ sid: 1 }), 'claims'],
    ['auth_time as string', having({ auth_time: String(now) }), 'claims'],
    ['stamp as object', having({ stamp: {} }), 'claims'],
    ['sub as object', having({ sub: { id: 'ann' }, uid: {} }), 'claims'],

    ['without ck', without('ck'), 'claims'],
    ['ck of another cookie', having({ ck: other.name }), 'claims'],
    ['ck as list', having({ ck: [kinds[kind].name] }), 'claims'],
    ['aud, though there is no audience', having({ aud: 'shop' }), 'claims'],
    ['aud null', having({ aud: null }), 'claims'],
    ...(kind === 'session'
      ? [
          ['fresh as string', having({ fresh: 'true' }), 'claims'],
          ['fp as number', having({ fp: 1 }), 'claims'],
          ['data as list', having({ data: [1] }), 'claims'],
          ['data as string', having({ data: 'cart' }), 'claims'],
          ['next as list', having({ next: ['/'] }), 'claims']
        ]
      : [
          ['without uid', without('uid'), 'claims'],
          ['days as string', having({ days: '7' }), 'claims'],
          ['days 0', having({ days: 0 }), 'claims'],
          ['days as float', having({ days: 1.5 }), 'claims'],
          ['days 1e400', literal('days', '1e400'), 'claims'],
          ['tok as object', having({ tok: {} }), 'claims']
        ]) as [string, string, InvalidReason][]
  ]
}

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
  app.get('/who', async (request) => ({ user: await request.getCurrentUser(), kind: request.loginState.kind, data: request.session.data() }))
  app.get('/guarded', { preHandler: app.login.guard() }, async () => 'secret page')
  return { app, log, loaded, events }
}

const ANONYMOUS = { user: null, kind: 'anonymous', data: {} }

t.test('the tables below begin with tokens that pass', async (t) => {
  const { app, loaded } = await start()
  for (const { name, typ, claims } of Object.values(kinds)) {
    const { user } = (await app.inject({ url: '/who', headers: { cookie: `${name}=${forge(claims, { typ })}` } })).json()
    t.same(user, { id: 'ann' })
    t.match((await app.inject({ url: '/guarded', headers: { cookie: `${name}=${forge(claims, { typ })}` } })), { body: 'secret page' })
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
    { sub: 'ann' }, { sub: { id: 'ann' } }, { id: 'ann', user: 'ann', user_id: 'ann' }, { sid: 'x', auth_time: now }, { data: { uid: 'ann' } }
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
  const table = [[undefined, false], ['blog', false], [['shop'], false], [['shop', 'blog'], false], ['', false], [{}, false], ['shop', true]] as const
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
  const send = (...values: string[]) => app.inject({ url: '/who', headers: { cookie: values.map((value) => `${name}=${value}`).join('; ') } })
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
  for (const cookie of [`SID=${token}`, `session=${token}`, `sid =${token}x`, `xsid=${token}`, `__Host-sid=${token}`, `a="; sid=${token}"`]) {
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

t.test('both cookies bad: both cleared, each announced once', async (t) => {
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
