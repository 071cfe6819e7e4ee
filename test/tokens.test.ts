import t from 'tap'
import { createTokens } from '../src/tokens.js'
import type { TokenSettings } from '../src/tokens.js'
import { Clock, OTHER_SECRET, SECRET } from './helpers.js'

const clock = new Clock()
const settings: TokenSettings = { secrets: [Buffer.from(SECRET)], cookieName: 'sid', audience: undefined, cacheSize: 3, clock: clock.read }
const times = { iat: clock.seconds, exp: clock.seconds + 60, born: clock.seconds }
const session = (changes: Partial<TokenSettings> = {}) => createTokens('session', { ...settings, ...changes })

t.test('what was signed is read back, with the cookie it counts in', (t) => {
  const login = { uid: 7, sid: 'some-login', auth_time: clock.seconds, fresh: false, stamp: 'a', fp: 'b' }
  const claims = { ...times, ...login, data: { cart: ['pear'], exp: 'just a key' }, next: '/cart' }
  const tokens = session()
  t.same(tokens.read(tokens.sign(claims)), { kind: 'valid', claims: { ck: 'sid', ...claims } })

  const remember = createTokens('remember', { ...settings, audience: 'shop' })
  const remembered = { ...times, uid: 'ann', sid: 'some-login', auth_time: clock.seconds, days: 7, tok: 'once' }
  t.same(remember.read(remember.sign(remembered)), { kind: 'valid', claims: { ck: 'sid', aud: 'shop', ...remembered } })
  t.end()
})

t.test('a number stays a number and a string a string', (t) => {
  const tokens = session()
  for (const uid of [0, 7, '7', '0', -1, 1.5]) {
    const reading = tokens.read(tokens.sign({ ...times, uid, sid: 's', auth_time: 1 }))
    t.equal(reading.kind === 'valid' && reading.claims.uid, uid)
  }
  t.end()
})

t.test('no token with one character changed is accepted', (t) => {
  const tokens = session({ cacheSize: 0 })
  const token = tokens.sign({ ...times, uid: 'ann', sid: 's', auth_time: 1 })
  const accepted: number[] = []
  for (let at = 0; at < token.length; at++) {
    for (const letter of ['A', 'b', '9', '_', '.', '=', ' ', '\0', 'é']) {
      const changed = token.slice(0, at) + letter + token.slice(at + 1)
      if (changed !== token && tokens.read(changed).kind !== 'invalid') accepted.push(at)
    }
  }
  t.same(accepted, [])
  t.end()
})

t.test('no part of a token is accepted, and nothing put around it', (t) => {
  const tokens = session({ cacheSize: 0 })
  const token = tokens.sign({ ...times, uid: 'ann', sid: 's', auth_time: 1 })
  const parts = Array.from({ length: token.length }, (_, length) => [token.slice(0, length), token.slice(length + 1)]).flat()
  t.same([...parts, ` ${token}`, `${token} `, `.${token}`, `${token}.`, token + token].filter((part) => tokens.read(part).kind !== 'invalid'), [])
  t.end()
})

t.test('each kind, cookie and audience has tokens of its own', (t) => {
  const claims = { ...times, uid: 'ann', sid: 's', auth_time: 1, days: 7 }
  const readers = [
    session(), session({ cookieName: 'other' }), session({ audience: 'shop' }), session({ audience: 'blog' }),
    session({ secrets: [Buffer.from(OTHER_SECRET)] }),
    createTokens('remember', settings), createTokens('remember', { ...settings, cookieName: 'other' })
  ]
  t.same(readers.map((writer) => readers.map((reader) => reader.read(writer.sign(claims)).kind === 'valid')),
    readers.map((writer) => readers.map((reader) => reader === writer)))
  t.end()
})

t.test('a token remembered as verified is refused once it has expired', (t) => {
  const clock = new Clock()
  const tokens = session({ clock: clock.read })
  const token = tokens.sign(times)
  t.equal(tokens.read(token).kind, 'valid')
  t.equal(tokens.read(token), tokens.read(token), 'it is remembered')
  clock.advance(59.999)
  t.equal(tokens.read(token).kind, 'valid')
  clock.advance(0.001)
  t.same(tokens.read(token), { kind: 'invalid', reason: 'expired' })
  clock.advance(-1)
  t.equal(tokens.read(token).kind, 'valid', 'by the clock given, whichever way it goes')
  t.end()
})

t.test('what a hit hands out is frozen', (t) => {
  const tokens = session()
  const token = tokens.sign({ ...times, uid: 'ann', sid: 's', auth_time: 1 })
  for (let time = 0; time < 2; time++) {
    const reading = tokens.read(token)
    t.throws(() => { (reading as unknown as { claims: { uid: string } }).claims.uid = 'bob' }, TypeError)
    t.match(reading, { claims: { uid: 'ann' } })
  }
  t.end()
})

/** Which tokens are remembered: a hit gives the very same answer again. */
function remembers (tokens: ReturnType<typeof session>, token: string): boolean {
  const first = tokens.read(token)
  return tokens.read(token) === first
}

t.test('the cache stays within its size, and the least recently used leaves first', (t) => {
  const tokens = session()
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => tokens.sign({ ...times, data: { name } })) as [string, string, string, string]
  const first = [a, b, c].map((token) => tokens.read(token))
  t.equal(tokens.read(a), first[0], 'a was used again')
  tokens.read(d)
  t.equal(tokens.read(a), first[0])
  t.equal(tokens.read(c), first[2])
  t.not(tokens.read(b), first[1], 'b had to go')
  t.end()
})

t.test('tokens that failed never enter, and push nobody out', (t) => {
  const clock = new Clock()
  const tokens = session({ clock: clock.read })
  const good = ['a', 'b', 'c'].map((name) => tokens.sign({ ...times, data: { name } }))
  const readings = good.map((token) => tokens.read(token))
  const stranger = session({ secrets: [Buffer.from(OTHER_SECRET)] })
  for (let i = 0; i < 20; i++) {
    tokens.read(`garbage ${i}`)
    tokens.read(stranger.sign({ ...times, data: { i } }))
    tokens.read(session({ cookieName: 'other' }).sign({ ...times, data: { i } }))
    tokens.read(tokens.sign({ ...times, exp: clock.seconds, data: { i } }))
  }
  t.same(good.map((token, i) => tokens.read(token) === readings[i]), [true, true, true])
  t.end()
})

t.test('a token that was expired when it came does not enter', (t) => {
  const clock = new Clock()
  const tokens = session({ clock: clock.read })
  const late = tokens.sign({ ...times, exp: clock.seconds })
  t.same(tokens.read(late), { kind: 'invalid', reason: 'expired' })
  clock.advance(-10)
  const first = tokens.read(late)
  t.equal(first.kind, 'valid')
  t.equal(tokens.read(late), first)
  t.end()
})

t.test('size 0 turns the cache off', (t) => {
  const tokens = session({ cacheSize: 0 })
  const token = tokens.sign(times)
  t.notOk(remembers(tokens, token))
  t.same(tokens.read(token), tokens.read(token))
  t.ok(remembers(session(), token))
  t.end()
})

t.test('an old secret verifies, and what it verified is remembered too', (t) => {
  const old = session({ secrets: [Buffer.from(OTHER_SECRET)] })
  const rotated = session({ secrets: [Buffer.from(SECRET), Buffer.from(OTHER_SECRET)] })
  const token = old.sign(times)
  t.equal(rotated.read(token).kind, 'valid')
  t.ok(remembers(rotated, token))
  t.same(old.read(rotated.sign(times)), { kind: 'invalid', reason: 'signature' })
  t.end()
})
