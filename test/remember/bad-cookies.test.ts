import t from 'tap'
import { Writable } from 'node:stream'
import { build } from '../support/app.js'
import { Browser, setCookies } from '../support/browser.js'
import { DAY, START } from '../support/clock.js'
import { listen } from '../support/events.js'
import { site } from '../support/site.js'
import { forge, OTHER_SECRET } from '../support/tokens.js'
import { people } from '../support/users.js'

const now = START / 1000
const good = { ck: '_remember', uid: 'ann', sid: 'sid', days: 14, iat: now, exp: now + 14 * DAY, born: now, auth_time: now }
const typ = 'remember+jwt'
const unsigned = (header: object, claims: object) =>
  [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.') + '.'
const token = forge(good, { typ })
const ofBob = Buffer.from(JSON.stringify({ ...good, uid: 'bob' })).toString('base64url')

const bad: Record<string, [string, string]> = {
  empty: ['', 'malformed'],
  garbage: ['garbage', 'malformed'],
  'not ASCII': ['é.ü.ß', 'malformed'],
  truncated: [token.slice(0, -1), 'malformed or signature'],
  'with an altered signature': [token.slice(0, -9) + 'AAAAAAAAA', 'signature'],
  'with another payload': [token.split('.').with(1, ofBob).join('.'), 'signature'],
  'under another secret': [forge(good, { typ, secret: OTHER_SECRET }), 'signature'],
  unsigned: [unsigned({ alg: 'none', typ }, good), 'signature'],
  HS384: [forge(good, { typ, algorithm: 'HS384' }), 'algorithm'],
  HS512: [forge(good, { typ, algorithm: 'HS512' }), 'algorithm'],
  'a session token': [forge(good, { typ: 'session+jwt' }), 'type'],
  'the application\'s own JWT': [forge(good, { typ: 'JWT' }), 'type'],
  'of another cookie': [forge({ ...good, ck: '_admin' }, { typ }), 'claims'],
  'of an audience': [forge({ ...good, aud: 'shop' }, { typ }), 'claims'],
  'without days': [forge({ ...good, days: undefined }, { typ }), 'claims'],
  'with 0 days': [forge({ ...good, days: 0 }, { typ }), 'claims'],
  'with a user id that is an object': [forge({ ...good, uid: { toString: 'ann' } }, { typ }), 'claims'],
  'with an empty user id': [forge({ ...good, uid: '' }, { typ }), 'claims'],
  'without sid': [forge({ ...good, sid: undefined }, { typ }), 'claims'],
  'without exp': [forge({ ...good, exp: undefined }, { typ }), 'claims'],
  'with days as text': [forge({ ...good, days: '14' }, { typ }), 'claims'],
  expired: [forge({ ...good, exp: now }, { typ }), 'expired']
}

t.test('the token these cases are made from restores', async (t) => {
  const { visitor } = await site()
  const ann = visitor()
  ann.keep({ _remember: token })
  t.match(await ann.who(), { user: 'ann', kind: 'stale' })
})

for (const [name, [value, reasons]] of Object.entries(bad)) {
  t.test(`a remember cookie ${name} is cleared and stops nothing else`, async (t) => {
    const lines: { msg: string, level: number, cookie?: string, reason?: string }[] = []
    const stream = new Writable({ write: (line, _encoding, done) => { lines.push(JSON.parse(String(line))); done() } })
    const machine = { id: 'machine', name: 'Machine' }
    const app = await build({
      clock: () => START,
      userLoader: people().userLoader,
      requestLoader: (request) => request.headers['x-key'] === 'good' ? machine : null
    }, { logger: { level: 'debug', stream } })
    app.get('/who', async (request) => ({ user: await request.getCurrentUser(), ...request.loginState }))
    const heard = listen(app.login)
    const stranger = new Browser(app)
    stranger.keep({ _remember: value })

    const response = await stranger.get('/who', { 'x-key': 'good' })
    t.strictSame(response.json(), { user: machine, kind: 'request' })
    t.strictSame(setCookies(response), ['-_remember'])
    const { request, cookie, reason, ...rest } = heard[0]!.payload
    t.strictSame([heard.length, heard[0]!.event, cookie, rest], [1, 'invalidToken', '_remember', {}])
    t.ok(reasons.split(' or ').includes(String(reason)), `${reason} is ${reasons}`)
    t.match(lines.filter(({ cookie }) => cookie !== undefined), [{ level: 20, cookie: '_remember', reason }])
    t.notOk(value.length > 8 && JSON.stringify(lines).includes(value), 'the token is in no log line')
    t.strictSame((await stranger.get('/who')).json(), { user: null, kind: 'anonymous' })
  })
}
