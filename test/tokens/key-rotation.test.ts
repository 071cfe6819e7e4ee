import t from 'tap'
import type { Secret } from '../../src/index.js'
import { build, buildSession } from '../support/app.js'
import { onePage, setCookies } from '../support/browser.js'
import { Clock } from '../support/clock.js'
import { claimsOf, forge, OTHER_SECRET, SECRET } from '../support/tokens.js'

const OLDEST = Buffer.from('the oldest secret of more than 32 bytes')
const clock = new Clock()

/** The cart under these secrets, for a browser that holds this cookie; and what was written. */
async function open (secret: Secret, session: string | undefined, act = (_cart: unknown): unknown => undefined) {
  const { visit, browser } = onePage(await buildSession({ secret, idleSeconds: 1000, clock: clock.read }))
  const response = await visit((session) => {
    const cart = session.get('cart')
    const next = act(cart)
    if (next !== undefined) session.set('cart', next)
    return cart
  }, session === undefined ? {} : { cookie: `session=${session}` })
  return { cart: response.json() as unknown, cookies: setCookies(response), token: browser.cookie('session') }
}

const accepts = async (secret: Secret, token: string | undefined) => (await open(secret, token)).cart !== null

t.test('of several secrets the first signs', async (t) => {
  const { token } = await open([OTHER_SECRET, SECRET], undefined, () => 1)
  t.ok(await accepts(OTHER_SECRET, token))
  t.notOk(await accepts(SECRET, token))
})

t.test('a token signed with an old secret is accepted, and nothing is written for that', async (t) => {
  const { token } = await open(SECRET, undefined, () => 1)
  for (const secret of [[OTHER_SECRET, SECRET], [OTHER_SECRET, OLDEST, SECRET]]) {
    t.match(await open(secret, token), { cart: 1, cookies: [] })
  }
})

t.test('the next write of a session signs with the new secret, and keeps values and birth', async (t) => {
  const { token } = await open(OLDEST, undefined, () => 1)
  clock.advance(10)
  const { token: rewritten } = await open([SECRET, OTHER_SECRET, OLDEST], token, () => 2)
  t.match(claimsOf(rewritten), { born: claimsOf(token).born, iat: clock.seconds, data: { cart: 2 } })
  t.ok(await accepts(SECRET, rewritten))
  t.notOk(await accepts([OTHER_SECRET, OLDEST], rewritten))
})

t.test('the renewal of a session signs with the new secret', async (t) => {
  const { token } = await open(SECRET, undefined, () => 1)
  clock.advance(501)
  const { token: renewed, cookies } = await open([OTHER_SECRET, SECRET], token)
  t.same(cookies, ['session'])
  t.ok(await accepts(OTHER_SECRET, renewed))
})

t.test('a token signed with a dropped secret is refused and cleared', async (t) => {
  const { token } = await open(SECRET, undefined, () => 1)
  t.match(await open([OTHER_SECRET, OLDEST], token), { cart: null, cookies: ['-session'] })
})

t.test('a list of one secret, a string and a Buffer of the same bytes are one secret', async (t) => {
  const { token } = await open(SECRET, undefined, () => 1)
  t.ok(await accepts([SECRET], token))
  t.ok(await accepts(Buffer.from(SECRET), token))
  t.ok(await accepts([Buffer.from(OTHER_SECRET), Buffer.from(SECRET)], token))
})

t.test('both cookies of a login survive a rotation, and go when the secret is dropped', async (t) => {
  const before = await build({ secret: SECRET, clock: clock.read })
  const cookies = await before.login.cookiesFor({ id: 'ann' } as object, { remember: true })
  const kinds = async (secret: Secret) => {
    const { visit } = onePage(await build({ secret, clock: clock.read }))
    const ask = async (names: string[]) => {
      const cookie = names.map((name) => `${name}=${cookies[name]}`).join('; ')
      return (await visit(async (_session, request) => {
        await request.getCurrentUser()
        return request.loginState.kind
      }, { cookie })).body
    }
    return [await ask(['session']), await ask(['_remember'])]
  }
  t.same(await kinds([OTHER_SECRET, SECRET]), ['fresh', 'stale'])
  t.same(await kinds([OTHER_SECRET]), ['anonymous', 'anonymous'])
})

t.test('a token that is bad for another reason than its signature is not tried under every secret', async (t) => {
  const common = { iat: clock.seconds, exp: clock.seconds + 1000, born: clock.seconds }
  const app = await build({ secret: [OTHER_SECRET, SECRET], clock: clock.read })
  const reasons: string[] = []
  app.login.on('invalidToken', ({ reason }) => reasons.push(reason))
  const { visit } = onePage(app)
  for (const token of [
    forge({ ck: 'other', ...common }), forge({ ck: 'session', ...common }, { typ: 'JWT', secret: OTHER_SECRET })
  ]) {
    await visit((session) => session.data(), { cookie: `session=${token}` })
  }
  t.same(reasons, ['claims', 'type'])
})
