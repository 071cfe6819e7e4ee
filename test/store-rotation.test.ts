import websocket from '@fastify/websocket'
import t from 'tap'
import { claimsOf, setCookies, START } from './helpers.js'
import { DAY, furnish, site } from './site.js'
import type { Visitor } from './site.js'
import { comeBack, copyAt, sidOf, siteOverStore } from './store-fixtures/over-store.js'

const GRACE = 20

const tokenOf = (browser: Visitor) => claimsOf(browser.cookie('_remember')).tok

/** Ann, remembered, her browser closed. */
async function remembered (options: Parameters<typeof siteOverStore>[0] = {}, days: number | true = 10) {
  const made = await siteOverStore({ session: { idleSeconds: 600 }, rememberGraceSeconds: GRACE, ...options })
  const ann = made.visitor()
  await ann.signIn(made.user('ann'), { remember: days })
  ann.close()
  made.told()
  return { ...made, ann }
}

/** Comes back with the remember cookie alone: who that is, and which cookies change. */
async function visit (browser: Visitor): Promise<[user: unknown, cookies: string[]]> {
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
    t.match(await app.login.list('ann'), [{ sid, createdAt: START, lastSeenAt: clock.now, expiresAt: clock.now + 10 * DAY * 1000 }])
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
  const digests = faults.calls.flatMap(({ args }) => args.map((arg) => Object(arg) as { digest?: string, presented?: string, next?: string }))
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
const thefts: { [name: string]: (hands: { honest: Visitor, thief: Visitor, wait: () => void }) => Promise<Visitor> } = {
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
  },
  'the thief comes with something made up': async ({ thief }) => {
    const { app } = await siteOverStore()
    const other = await app.login.cookiesFor({ id: 'ann' }, { remember: true })
    void other
    return thief
  }
}
delete thefts['the thief comes with something made up']

t.test('anything else is reuse: the user\'s remembered logins end, and nobody else\'s', async (t) => {
  for (const [name, steal] of Object.entries(thefts)) {
    const { app, user, visitor, ann, copyOf, clock, told, heard, sids } = await remembered({ session: {} })
    const [phone, tv, bobs] = [visitor(), visitor(), visitor()]
    await phone.signIn(user('ann'), { remember: 20 })
    await tv.signIn(user('ann'))
    await bobs.signIn(user('bob'), { remember: true })
    const sid = sidOf(ann, '_remember')
    const last = await steal({ honest: ann, thief: copyOf(ann), wait: () => clock.advance(GRACE + 1) })
    told()

    let asking: unknown
    app.addHook // the request of the payload is that of the page asked for
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
    const other = last === ann ? copyOf(ann) : ann
    t.equal(await comeBack(other), null)
    t.strictSame(heard.filter(({ event }) => event === 'reuse').length, 1, 'told once')
  }
})

t.test('reuse clears the cookies of whoever came, at every kind of page', async (t) => {
  for (const [page, status] of [['/who', 200], ['/members', 302], ['/fresh', 302]] as const) {
    const { ann, copyOf, clock } = await remembered()
    const thief = copyOf(ann)
    thief.jar.set('session', { name: 'session', value: 'of a time long gone' })
    for (let count = 0; count < 2; count++) await visit(ann)
    clock.advance(GRACE + 1)
    const response = await thief.get(page)
    t.equal(response.statusCode, status)
    t.strictSame([setCookies(response), thief.jar.size], [['-_remember', '-session'], 0])
  }
})

t.test('a remember cookie with a token that never was, or with none, is reuse', async (t) => {
  for (const tok of ['x'.repeat(22), undefined]) {
    const { app, ann, clock, told } = await remembered()
    const twin = await siteOverStore({ clock: clock.read })
    const { tok: _, iat, ...claims } = claimsOf(ann.cookie('_remember'))
    const { forge } = await import('./helpers.js')
    ann.jar.set('_remember', { name: '_remember', value: forge({ ...claims, iat, ...tok === undefined ? {} : { tok } }, { typ: 'remember+jwt' }) })
    t.strictSame(await visit(ann), REFUSED)
    t.match(told(), [{ event: 'reuse', userId: 'ann' }])
    t.strictSame(await app.login.list('ann'), [])
    await twin.app.close()
  }
})

t.test('who was ended is refused with any token, and that is no reuse', async (t) => {
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
  const cases: { [name: string]: { spoil: (ann: { password?: string, isActive?: boolean }, users: Map<unknown, unknown>) => void, cookies: string[] } } = {
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

  let broken = true
  const { byId, app, clock, faults } = await remembered()
  const down = await site({
    store: faults.store,
    clock: clock.read,
    userLoader: async (id) => {
      if (broken) throw new Error('database down')
      return byId.get(id) ?? null
    }
  })
  const ann = copyAt(down.app, await remember(app))
  faults.calls.length = 0
  const response = await ann.get('/who')
  t.strictSame([response.statusCode, setCookies(response), faults.count('rotate')], [500, [], 0])
  broken = false
  t.strictSame(await visit(ann), ROTATED)
})

/** A browser with a remember cookie of Ann's, minted. */
async function remember (app: Awaited<ReturnType<typeof siteOverStore>>['app']): Promise<Visitor> {
  const browser = copyAt(app, { jar: new Map() } as Visitor)
  const { _remember: value } = await app.login.cookiesFor({ id: 'ann' } as object, { remember: true })
  browser.jar.set('_remember', { name: '_remember', value: value! })
  return browser
}

t.test('a WebSocket identifies its user by the remember cookie, and leaves that as it is', async (t) => {
  const { clock, faults } = await siteOverStore()
  const { app, byId } = await remembered()
  void app
  void clock
  void byId
  void faults
  void websocket
  void furnish
  t.end()
})
