import { get } from 'node:http'
import websocket from '@fastify/websocket'
import type { FastifyInstance, FastifyReply, LoginUser } from 'fastify'
import t from 'tap'
import { memoryStore } from '../../src/stores/memory.js'
import { Browser, setCookies } from '../support/browser.js'
import { DAY, START } from '../support/clock.js'
import { site } from '../support/site.js'
import { claimsOf, forge } from '../support/tokens.js'
import { comeBack, sidOf, siteOverStore } from '../support/stores/over-store.js'

const GRACE = 20

const tokenOf = (browser: Browser) => claimsOf(browser.cookie('_remember')).tok

/** Ann, remembered, her browser closed; with more pages, if `furnish` makes some. */
async function remembered (
  options: Parameters<typeof siteOverStore>[0] = {}, days: number | true = 10,
  furnish?: (app: FastifyInstance) => unknown
) {
  const made = await siteOverStore({ session: { idleSeconds: 600 }, rememberGraceSeconds: GRACE, ...options })
  await furnish?.(made.app)
  const ann = made.visitor()
  await ann.signIn(made.user('ann'), { remember: days })
  ann.close()
  made.told()
  return { ...made, ann }
}

/** Comes back with the remember cookie alone: who that is, and which cookies change. */
async function visit (browser: Browser): Promise<[user: unknown, cookies: string[]]> {
  browser.close()
  const response = await browser.get('/who')
  return [response.json().user, setCookies(response)]
}

const ROTATED = ['ann', ['_remember', 'session']] as const
const GRACED = ['ann', ['session']] as const
const REFUSED = [null, ['-_remember']] as const

t.test('the current token is used once: it restores the login and is replaced by another', async (t) => {
  const { app, ann, clock, user, told } = await remembered()
  const sid = sidOf(ann, '_remember')
  const tokens = new Set([tokenOf(ann)])
  for (let count = 0; count < 4; count++) {
    clock.advance(DAY)
    t.strictSame(await visit(ann), ROTATED)
    tokens.add(tokenOf(ann))
    t.match(await ann.who(), { user: 'ann', sid, kind: 'stale', authTime: START / 1000, remembered: true })
    t.strictSame(told(), [{ event: 'restore', user: user('ann'), userId: 'ann', sid }])
    t.match(await app.login.list('ann'), [{
      sid, createdAt: START, lastSeenAt: clock.now, expiresAt: clock.now + 10 * DAY * 1000
    }])
  }
  t.equal(tokens.size, 5)
  for (const token of tokens) t.match(token, /^[\w-]{22}$/, '128 random bits')
})

t.test('the store never sees a token, only digests', async (t) => {
  const { ann, faults } = await remembered()
  const tokens = [tokenOf(ann)]
  for (let count = 0; count < 3; count++) {
    await visit(ann)
    tokens.push(tokenOf(ann))
  }
  const seen = JSON.stringify(faults.calls)
  for (const token of tokens) t.notOk(seen.includes(String(token)))
  const digests = faults.calls.flatMap(
    ({ args }) => args.map((arg) => Object(arg) as { digest?: string, presented?: string, next?: string })
  )
    .flatMap(({ digest, presented, next }) => [digest, presented, next]).filter((digest) => digest !== undefined)
  t.equal(new Set(digests).size, 4)
  for (const digest of digests) t.match(digest, /^[\w-]{43}$/)
})

t.test('the previous token restores without a new one for rememberGraceSeconds, and with one later', async (t) => {
  const cases: [waited: number, expected: readonly [string, readonly string[]]][] = [
    [0, GRACED], [GRACE - 1, GRACED], [GRACE, GRACED], [GRACE + 0.001, ROTATED], [DAY, ROTATED]
  ]
  for (const [waited, expected] of cases) {
    const { ann, copyOf, clock, told } = await remembered()
    const late = copyOf(ann)
    await visit(ann)
    told()
    clock.advance(waited)
    t.strictSame(await visit(late), expected, `after ${waited} seconds`)
    t.match(told(), [{ event: 'restore', userId: 'ann' }])
    t.equal(late.cookie('_remember') === undefined, false)
  }
})

t.test('parallel requests with one cookie are all let in, and one of them gets the new token', async (t) => {
  const { ann, copyOf, told } = await remembered()
  const tabs = Array.from({ length: 10 }, () => copyOf(ann))
  const visits = await Promise.all(tabs.map(visit))
  t.strictSame(visits.map(([user]) => user), Array(10).fill('ann'))
  t.equal(visits.filter(([, cookies]) => cookies.includes('_remember')).length, 1)
  t.strictSame(told().map(({ event }) => event), Array(10).fill('restore'))
})

t.test('who never got the new token goes on with the old one, however often a response is lost', async (t) => {
  const { ann, copyOf, clock, told } = await remembered()
  for (let count = 0; count < 5; count++) {
    t.strictSame(await visit(copyOf(ann)), ROTATED, 'aborted')
    clock.advance(GRACE + 1)
  }
  t.strictSame(await visit(ann), ROTATED)
  clock.advance(DAY)
  t.strictSame(await visit(ann), ROTATED)
  t.strictSame(new Set(told().map(({ event }) => event)), new Set(['restore']))
})

t.test('a request that left before two others came back is no theft, until the grace is over', async (t) => {
  for (const [waited, expected] of [[GRACE, GRACED], [GRACE + 0.001, REFUSED]] as const) {
    const { ann, copyOf, clock, told } = await remembered()
    const slow = copyOf(ann)
    await visit(ann)
    await visit(ann)
    told()
    clock.advance(waited)
    t.strictSame(await visit(slow), expected)
    t.match(told(), [{ event: expected === GRACED ? 'restore' : 'reuse' }])
  }
})

/** What ends up in the hands of two: who comes last is found out. */
const thefts: { [name: string]: (hands: { honest: Browser, thief: Browser, wait: () => void }) => Promise<Browser> } = {
  'the browser came first, the thief with what it has had since': async ({ honest, thief, wait }) => {
    await visit(honest)
    await visit(honest)
    wait()
    return thief
  },
  'the thief came first, then the browser, then the thief': async ({ honest, thief, wait }) => {
    await visit(thief)
    wait()
    t.strictSame(await visit(honest), ROTATED)
    wait()
    return thief
  },
  'the browser came first, then the thief, then the browser': async ({ honest, thief, wait }) => {
    await visit(honest)
    wait()
    t.strictSame(await visit(thief), ROTATED)
    return honest
  }
}

t.test('a remember token left behind is reuse: the user\'s remembered logins end, and nobody else\'s', async (t) => {
  for (const [name, steal] of Object.entries(thefts)) {
    const { user, visitor, ann, copyOf, clock, told, heard, sids } = await remembered({ session: {} })
    const [phone, tv, bobs] = [visitor(), visitor(), visitor()]
    await phone.signIn(user('ann'), { remember: 20 })
    await tv.signIn(user('ann'))
    await bobs.signIn(user('bob'), { remember: true })
    const sid = sidOf(ann, '_remember')
    const thief = copyOf(ann)
    const last = await steal({ honest: ann, thief, wait: () => clock.advance(GRACE + 1) })
    told()

    let asking: unknown
    last.close()
    const response = await last.does(async (request) => {
      asking = request
      return { user: await request.getCurrentUser(), ...request.loginState }
    })
    t.strictSame(response.json(), { user: null, kind: 'anonymous' }, name)
    t.strictSame(setCookies(response), ['-_remember'])
    t.strictSame(heard, [{ event: 'reuse', payload: { request: asking, user: user('ann'), userId: 'ann', sid } }])
    t.equal(heard[0]!.payload.request, asking)

    t.strictSame(await sids('ann'), [sidOf(tv)])
    t.match(await tv.who(), { user: 'ann' })
    t.strictSame(setCookies(await phone.get('/members')), ['-_remember', '-session'])
    t.equal(await comeBack(bobs), 'bob')
    t.equal(await comeBack(last === ann ? thief : ann), null)
    t.equal(heard.filter(({ event }) => event === 'reuse').length, 1, 'told once')
  }
})

t.test('reuse clears the cookies of whoever came, at every kind of page', async (t) => {
  for (const [page, status] of [['/who', 200], ['/members', 302], ['/fresh', 302]] as const) {
    const { ann, copyOf, clock } = await remembered()
    const thief = copyOf(ann)
    thief.keep({ session: 'of a time long gone' })
    for (let count = 0; count < 2; count++) await visit(ann)
    clock.advance(GRACE + 1)
    const response = await thief.get(page)
    t.equal(response.statusCode, status)
    t.strictSame([setCookies(response), thief.jar.size], [['-_remember', '-session'], 0])
  }
})

t.test('a remember cookie with a token that never was, or with none, is reuse', async (t) => {
  for (const tok of [{ tok: 'x'.repeat(22) }, {}]) {
    const { ann, told, sids } = await remembered()
    const { tok: _, ...claims } = claimsOf(ann.cookie('_remember'))
    ann.jar.set('_remember', {
      ...ann.jar.get('_remember')!, value: forge({ ...claims, ...tok }, { typ: 'remember+jwt' })
    })
    t.strictSame(await visit(ann), REFUSED)
    t.match(told(), [{ event: 'reuse', userId: 'ann' }])
    t.strictSame(await sids('ann'), [])
  }
})

t.test('a login that was ended is refused with any token, and that is no reuse', async (t) => {
  const { app, ann, copyOf, told } = await remembered()
  const copy = copyOf(ann)
  await visit(ann)
  await app.login.revoke('ann', sidOf(ann))
  told()
  for (const browser of [ann, copy]) t.strictSame(await visit(browser), REFUSED)
  t.strictSame(told(), [])
})

t.test('the user is loaded, active and stamp-checked before anything is rotated', async (t) => {
  const userStamp = (user: object) => (user as { password?: string }).password ?? 'none'
  const cases: {
    [name: string]: {
      spoil: (ann: { password?: string, isActive?: boolean }, users: Map<unknown, unknown>) => void, cookies: string[]
    }
  } = {
    deleted: { spoil: (_, users) => users.delete('ann'), cookies: ['-_remember'] },
    'other stamp': { spoil: (ann) => { ann.password = 'new' }, cookies: ['-_remember'] },
    inactive: { spoil: (ann) => { ann.isActive = false }, cookies: [] }
  }
  for (const [name, { spoil, cookies }] of Object.entries(cases)) {
    const { ann, byId, faults, sids, told, copyOf } = await remembered({ userStamp })
    const copy = copyOf(ann)
    spoil(byId.get('ann')!, byId)
    t.strictSame(await visit(ann), [null, cookies], name)
    t.equal(faults.count('rotate'), 0)
    t.strictSame(told(), [])
    t.equal((await sids('ann')).length, name === 'inactive' ? 1 : 0)
    if (name !== 'inactive') continue
    delete byId.get('ann')!.isActive
    t.strictSame([await visit(ann), await visit(copy)], [ROTATED, GRACED], 'and afterwards all is as before')
  }

  const { app } = await site({
    userLoader: async () => { throw new Error('database down') },
    store: { ...memoryStore(), rotate: async () => t.fail('rotated') as never }
  })
  const { _remember: value } = await app.login.cookiesFor({ id: 'ann' } as LoginUser, { remember: true })
  const ann = new Browser(app)
  ann.keep({ _remember: value! })
  const response = await ann.get('/who')
  t.strictSame([response.statusCode, setCookies(response)], [500, []], 'a loader that cannot tell')
})

/** A page for WebSockets that says who is there. */
async function socketPage (app: FastifyInstance) {
  await app.register(websocket)
  app.get('/socket', { websocket: true, preHandler: app.login.guard() }, (socket, request) => {
    socket.send(request.requireUser<{ name: string }>().name)
  })
}

function connect (app: FastifyInstance, browser: Browser): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { cookie: [...browser.jar.values()].map(({ name, value }) => `${name}=${value}`).join('; ') }
    const onInit = (socket: { on (event: 'message', listener: (data: Buffer) => void): void, terminate (): void }) => {
      socket.on('message', (data) => {
        resolve(String(data))
        socket.terminate()
      })
    }
    app.injectWS('/socket', { headers }, { onInit }).catch(reject)
  })
}

t.test('a WebSocket identifies its user by the remember cookie, and leaves that as it is', async (t) => {
  const { app, ann, copyOf, clock, faults, told } = await remembered({}, 10, socketPage)
  const rotations = () =>
    faults.calls.splice(0).filter(({ method }) => method === 'rotate')
      .map(({ args }) => (args[2] as { next: string | null }).next)
  rotations()
  for (const waited of [0, GRACE + 1, DAY]) {
    clock.advance(waited)
    t.equal(await connect(app, ann), 'Ann')
  }
  t.strictSame(rotations(), [null, null, null])
  t.match(await app.login.list('ann'), [{ lastSeenAt: clock.now, expiresAt: START + 10 * DAY * 1000 }])

  t.strictSame(await visit(copyOf(ann)), ROTATED, 'still the current one; and this response is lost')
  for (const waited of [0, DAY]) {
    clock.advance(waited)
    t.equal(await connect(app, ann), 'Ann', 'the previous one, early or late')
  }
  t.strictSame(await visit(ann), ROTATED)
  ann.close()
  t.equal(await connect(app, ann), 'Ann')
  t.strictSame(await visit(ann), ROTATED, 'the current one, also a moment later')
  t.strictSame(new Set(told().map(({ event }) => event)), new Set(['restore']))
})

t.test('reuse of a remember token is found out on a WebSocket', async (t) => {
  const { app, ann, copyOf, clock, user, told, sids } = await remembered({}, 10, socketPage)
  const thief = copyOf(ann)
  const sid = sidOf(ann, '_remember')
  for (let count = 0; count < 2; count++) await visit(ann)
  clock.advance(GRACE + 1)
  told()
  await t.rejects(connect(app, thief), { message: 'Unexpected server response: 401' })
  t.strictSame(told(), [{ event: 'reuse', user: user('ann'), userId: 'ann', sid }, { event: 'unauthorized' }])
  t.strictSame(await sids('ann'), [])
})

const takeOver: { [path: string]: (reply: FastifyReply) => unknown } = {
  '/hijacked': (reply) => reply.hijack(),
  '/headers-sent': (reply) => reply.raw.writeHead(200),
  '/ended': (reply) => reply.raw.end()
}

t.test('nothing is rotated where the response is no longer Fastify\'s, and the cookie stays valid', async (t) => {
  const seen: unknown[] = []
  const { ann, clock, faults } = await remembered({}, 10, (app) => {
    for (const [path, act] of Object.entries(takeOver)) {
      app.get(path, async (request, reply) => {
        act(reply)
        seen.push(await request.getCurrentUser<{ name: string }>().then((user) => user?.name))
        if (!reply.sent) reply.hijack()
        reply.raw.end()
      })
    }
    app.get('/stream', { preHandler: app.login.guard() }, (request, reply) => {
      reply.hijack()
      reply.raw.end(request.requireUser<{ name: string }>().name)
    })
  })
  const token = tokenOf(ann)
  for (const path of Object.keys(takeOver)) {
    clock.advance(GRACE + 1)
    t.strictSame(setCookies(await ann.get(path)), [])
  }
  t.strictSame(seen, ['Ann', 'Ann', 'Ann'])
  t.strictSame(
    faults.calls.filter(({ method }) => method === 'rotate').map(({ args }) => (args[2] as { next: unknown }).next),
    [null, null, null]
  )

  t.equal((await ann.get('/stream')).body, 'Ann', 'taken over after the guard: the new token never reaches the browser')
  t.equal(tokenOf(ann), token)
  for (const waited of [GRACE, 1]) {
    clock.advance(waited)
    t.strictSame(await visit(ann), waited === 1 ? ROTATED : GRACED)
  }
})

t.test('with renew: false a restore brings another token, and no more time', async (t) => {
  const { app, ann, clock } = await remembered({ remember: { renew: false, maxDays: 50 } })
  clock.advance(4 * DAY)
  const token = tokenOf(ann)
  t.strictSame(await visit(ann), ROTATED)
  t.not(tokenOf(ann), token)
  t.match(claimsOf(ann.cookie('_remember')), {
    days: 10, iat: clock.seconds, exp: START / 1000 + 10 * DAY, born: START / 1000
  })
  t.equal(ann.jar.get('_remember')!.maxAge, 6 * DAY)
  t.match(await app.login.list('ann'), [{ expiresAt: START + 10 * DAY * 1000 }])
  clock.advance(6 * DAY)
  t.strictSame(await visit(ann), REFUSED)
  t.strictSame(await app.login.list('ann'), [])
})

t.test('a remembered login is restored up to maxDays after the login', async (t) => {
  const { app, ann, clock, told } = await remembered({ remember: { maxDays: 15, days: 10 } }, true)
  for (const [day, end] of [[4, 14], [8, 15], [14, 15]] as const) {
    clock.now = START + day * DAY * 1000
    t.strictSame(await visit(ann), ROTATED)
    t.match(claimsOf(ann.cookie('_remember')), { exp: START / 1000 + end * DAY })
    t.equal(ann.jar.get('_remember')!.maxAge, (end - day) * DAY)
    t.match(await app.login.list('ann'), [{ expiresAt: START + end * DAY * 1000 }])
  }
  told()
  clock.now = START + 15 * DAY * 1000
  t.strictSame(await visit(ann), REFUSED)
  t.match(told(), [{ event: 'invalidToken', reason: 'expired' }])
})

t.test('a confirmed login keeps its token, with the new stamp', async (t) => {
  const { ann, clock, byId, told } = await remembered({
    userStamp: (user) => (user as { password?: string }).password ?? 'none'
  })
  await visit(ann)
  const token = tokenOf(ann)
  byId.set('ann', { id: 'ann', name: 'Ann', password: 'new' })
  t.strictSame(
    setCookies(await ann.does((_request, reply) => reply.confirmLogin(byId.get('ann')))),
    ['_remember', 'session']
  )
  t.equal(tokenOf(ann), token)
  told()
  for (let count = 0; count < 2; count++) {
    clock.advance(GRACE + 1)
    t.strictSame(await visit(ann), ROTATED)
  }
  t.match(told(), [{ event: 'restore' }, { event: 'restore' }])
})

t.test('a plain request whose header asks for a WebSocket rotates its remember token all the same', async (t) => {
  const { ann, app } = await remembered()
  const token = tokenOf(ann)
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => app.close())
  const cookies = await new Promise<string[]>((resolve, reject) => {
    const headers = { upgrade: 'websocket', cookie: `_remember=${ann.cookie('_remember')}` }
    get(`${address}/who`, { headers }, (response) => {
      response.resume()
      resolve(response.headers['set-cookie'] ?? [])
    }).on('error', reject)
  })
  const renewed = cookies.find((line) => line.startsWith('_remember='))!
  t.not(claimsOf(renewed.slice('_remember='.length).split(';')[0]).tok, token)
})
