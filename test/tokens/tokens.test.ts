import fc from 'fast-check'
import t from 'tap'
import { createTokens } from '../../src/tokens/tokens.js'
import type { TokenSettings } from '../../src/tokens/tokens.js'
import { Clock } from '../support/clock.js'
import { OTHER_SECRET, SECRET } from '../support/tokens.js'

const now = new Clock().read()
const seconds = now / 1000
const settings: TokenSettings = {
  secrets: [Buffer.from(SECRET)], cookieName: 'sid', audience: undefined, cacheSize: 3, absoluteSeconds: 90
}
const times = { iat: seconds, exp: seconds + 60, born: seconds }
const session = (changes: Partial<TokenSettings> = {}) => createTokens('session', { ...settings, ...changes })

t.test('what was signed is read back, with the cookie it counts in', (t) => {
  const login = { uid: 7, sid: 'some-login', auth_time: seconds, fresh: false, stamp: 'a', fp: 'b' }
  const claims = { ...times, ...login, data: { cart: ['pear'], exp: 'just a key' }, next: '/cart' }
  const tokens = session()
  t.same(tokens.read(tokens.sign(claims), now), { kind: 'valid', claims: { ck: 'sid', ...claims } })

  const remember = createTokens('remember', { ...settings, audience: 'shop' })
  const remembered = { ...times, uid: 'ann', sid: 'some-login', auth_time: seconds, days: 7, tok: 'once' }
  t.same(remember.read(remember.sign(remembered), now), {
    kind: 'valid', claims: { ck: 'sid', aud: 'shop', ...remembered }
  })
  t.end()
})

t.test('a user id that is a number stays a number, and one that is a string a string', (t) => {
  const tokens = session()
  for (const uid of [0, 7, '7', '0', -1, 1.5]) {
    const reading = tokens.read(tokens.sign({ ...times, uid, sid: 's', auth_time: 1 }), now)
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
      if (changed !== token && tokens.read(changed, now).kind !== 'invalid') accepted.push(at)
    }
  }
  t.same(accepted, [])
  t.end()
})

t.test('no part of a token is accepted, and nothing put around it', (t) => {
  const tokens = session({ cacheSize: 0 })
  const token = tokens.sign({ ...times, uid: 'ann', sid: 's', auth_time: 1 })
  const parts = Array.from({ length: token.length }, (_, length) => [token.slice(0, length), token.slice(length + 1)])
    .flat()
  t.same(
    [
      ...parts, ` ${token}`, `${token} `, `.${token}`, `${token}.`, token + token
    ].filter((part) => tokens.read(part, now).kind !== 'invalid'),
    []
  )
  t.end()
})

t.test('each kind, cookie and audience has tokens of its own', (t) => {
  const claims = { ...times, uid: 'ann', sid: 's', auth_time: 1, days: 7 }
  const readers = [
    session(), session({ cookieName: 'other' }), session({ audience: 'shop' }), session({ audience: 'blog' }),
    session({ secrets: [Buffer.from(OTHER_SECRET)] }),
    createTokens('remember', settings), createTokens('remember', { ...settings, cookieName: 'other' })
  ]
  t.same(readers.map((writer) => readers.map((reader) => reader.read(writer.sign(claims), now).kind === 'valid')),
    readers.map((writer) => readers.map((reader) => reader === writer)))
  t.end()
})

t.test('of four spellings of a signature, the one we wrote counts', (t) => {
  const tokens = session({ cacheSize: 0 })
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  // As many tokens as it takes to meet every last character there is.
  for (let i = 0; i < 100; i++) {
    const token = tokens.sign({ ...times, data: { i } })
    const accepted = [...ALPHABET].filter((last) => tokens.read(token.slice(0, -1) + last, now).kind === 'valid')
    t.same(accepted, [token.at(-1)])
  }
  t.end()
})

t.test('a token ends when it says, or when the limit says that came since', (t) => {
  const token = session().sign(times)
  for (const [absoluteSeconds, ends] of [[90, 60], [60, 60], [40, 40], [Infinity, 60]] as const) {
    const tokens = session({ absoluteSeconds })
    for (let time = 0; time < 3; time++) {
      t.equal(tokens.read(token, now + ends * 1000 - 1).kind, 'valid')
      t.same(tokens.read(token, now + ends * 1000), { kind: 'invalid', reason: 'expired' })
    }
  }
  t.end()
})

t.test('claims that are handed out are frozen', (t) => {
  const tokens = session()
  const token = tokens.sign({ ...times, uid: 'ann', sid: 's', auth_time: 1 })
  for (let time = 0; time < 3; time++) {
    const reading = tokens.read(token, now)
    t.throws(() => { (reading as unknown as { claims: { uid: string } }).claims.uid = 'bob' }, TypeError)
    t.match(reading, { claims: { uid: 'ann' } })
  }
  t.end()
})

/** Whether a token is known as verified: a hit gives the very same answer again. Asking once more would make it so. */
function knows (tokens: ReturnType<typeof session>, token: string): boolean {
  const first = tokens.read(token, now)
  return tokens.read(token, now) === first
}

/** Reads until it is known. */
function learn (tokens: ReturnType<typeof session>, token: string): unknown {
  tokens.read(token, now)
  return tokens.read(token, now)
}

t.test('a token is kept as verified from the second time on', (t) => {
  const tokens = session()
  const token = tokens.sign(times)
  const [first, second, third, fourth] = Array.from({ length: 4 }, () => tokens.read(token, now))
  t.not(first, second)
  t.equal(second, third)
  t.equal(third, fourth)
  t.same(first, second)
  t.end()
})

t.test('a crowd that comes once does not push out those who come back', (t) => {
  const tokens = session({ cacheSize: 500 })
  const regulars = Array.from({ length: 250 }, (_, name) => tokens.sign({ ...times, data: { name } }))
  const readings = regulars.map((token) => learn(tokens, token))
  for (let i = 0; i < 20_000; i++) tokens.read(tokens.sign({ ...times, data: { i } }), now)
  t.same(regulars.filter((token, i) => tokens.read(token, now) !== readings[i]), [])
  t.end()
})

t.test('the cache stays within its size, and the least recently used leaves first', (t) => {
  const tokens = session()
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => tokens.sign({ ...times, data: { name } })) as [
    string, string, string, string
  ]
  const [ofA, ofB, ofC] = [a, b, c].map((token) => learn(tokens, token))
  t.equal(tokens.read(a, now), ofA, 'a was used again')
  learn(tokens, d)
  t.equal(tokens.read(a, now), ofA)
  t.equal(tokens.read(c, now), ofC)
  t.not(tokens.read(b, now), ofB, 'b had to go')
  t.end()
})

t.test('as many browsers as the cache has room for, in turn, are known from their third visit on', (t) => {
  for (const strangers of [0, 300, 750, 1100]) {
    const tokens = session({ cacheSize: 500 })
    for (let i = 0; i < strangers; i++) tokens.read(tokens.sign({ ...times, data: { stranger: i } }), now)
    const browsers = Array.from({ length: 400 }, (_, i) => tokens.sign({ ...times, data: { i } }))
    const [, second, third] = [1, 2, 3].map(() => browsers.map((token) => tokens.read(token, now)))
    t.equal(third!.filter((reading, i) => reading === second![i]).length, 400, `after ${strangers} strangers`)
  }
  t.end()
})

t.test('a cache for few tokens knows those few', (t) => {
  const tokens = session({ cacheSize: 1 })
  const [a, b] = ['a', 'b'].map((name) => tokens.sign({ ...times, data: { name } })) as [string, string]
  tokens.read(a, now)
  for (let i = 0; i < 40; i++) tokens.read(tokens.sign({ ...times, data: { i } }), now)
  t.equal(tokens.read(a, now), tokens.read(a, now))
  t.not(tokens.read(b, now), tokens.read(a, now))
  t.ok(knows(tokens, a))
  t.end()
})

t.test('a cache size beyond all memory reserves none', (t) => {
  const tokens = session({ cacheSize: Number.MAX_SAFE_INTEGER })
  const token = tokens.sign(times)
  t.equal(learn(tokens, token), tokens.read(token, now))
  t.end()
})

t.test('tokens that failed never enter the cache, and push nobody out', (t) => {
  const tokens = session()
  const good = ['a', 'b', 'c'].map((name) => tokens.sign({ ...times, data: { name } }))
  const readings = good.map((token) => learn(tokens, token))
  const stranger = session({ secrets: [Buffer.from(OTHER_SECRET)] })
  for (let i = 0; i < 20; i++) {
    const bad = [
      `garbage ${i}`,
      stranger.sign({ ...times, data: { i } }),
      session({ cookieName: 'other' }).sign({ ...times, data: { i } }),
      tokens.sign({ ...times, exp: seconds, data: { i } })
    ]
    for (let time = 0; time < 3; time++) t.notOk(bad.some((token) => tokens.read(token, now).kind === 'valid'))
  }
  t.same(good.map((token, i) => tokens.read(token, now) === readings[i]), [true, true, true])
  t.end()
})

t.test('failed tokens are no visits: they do not make anybody unknown again', (t) => {
  const tokens = session({ cacheSize: 64 })
  const good = tokens.sign(times)
  const stranger = session({ secrets: [Buffer.from(OTHER_SECRET)] })
  tokens.read(good, now)
  for (let i = 0; i < 500; i++) tokens.read(stranger.sign({ ...times, data: { i } }), now)
  tokens.read(good, now)
  t.ok(knows(tokens, good))
  t.end()
})

t.test('whoever has an expired token cannot hold a place with it, or with anything that ends like it', (t) => {
  const dead = (tokens: ReturnType<typeof session>, token: string) =>
    [() => tokens.read(token, now + 60_000), () => tokens.read(`x.y.${token.slice(-43)}`, now)]
  for (const which of [0, 1]) {
    const tokens = session({ cacheSize: 2 })
    const [old, good, other] = ['old', 'good', 'other'].map((name) => tokens.sign({
      ...times, exp: name === 'old' ? seconds + 60 : seconds + 80, data: { name }
    })) as [string, string, string]
    learn(tokens, old)
    const reading = learn(tokens, good)
    t.equal((dead(tokens, old)[which]!() as { kind: string }).kind, 'invalid')
    learn(tokens, other)
    t.equal(tokens.read(good, now), reading)
  }
  t.end()
})

t.test('another payload before a signature that is known as verified is refused', (t) => {
  const tokens = session()
  const [header, , signature] = tokens.sign({ ...times, uid: 'ann', sid: 's', auth_time: 1 })
    .split('.') as [string, string, string]
  const [, payload] = tokens.sign({ ...times, uid: 'bob', sid: 's', auth_time: 1 }).split('.') as [string, string]
  learn(tokens, tokens.sign({ ...times, uid: 'ann', sid: 's', auth_time: 1 }))
  for (let time = 0; time < 3; time++) {
    t.same(tokens.read(`${header}.${payload}.${signature}`, now), { kind: 'invalid', reason: 'signature' })
  }
  t.match(tokens.read(tokens.sign({ ...times, uid: 'ann', sid: 's', auth_time: 1 }), now), { claims: { uid: 'ann' } })
  t.end()
})

t.test('a token that was expired when it came does not enter the cache', (t) => {
  const tokens = session()
  const late = tokens.sign({ ...times, exp: seconds })
  for (let time = 0; time < 3; time++) t.same(tokens.read(late, now), { kind: 'invalid', reason: 'expired' })
  const [first, second] = [tokens.read(late, now - 1), tokens.read(late, now - 1)]
  t.equal(first.kind, 'valid', 'by the time given, whichever way that goes')
  t.not(second, first)
  t.end()
})

t.test('cache size 0 turns the cache off', (t) => {
  const tokens = session({ cacheSize: 0 })
  const token = tokens.sign(times)
  t.not(learn(tokens, token), tokens.read(token, now))
  t.same(learn(tokens, token), tokens.read(token, now))
  t.end()
})

t.test('an old secret verifies, and what it verified is kept too', (t) => {
  const old = session({ secrets: [Buffer.from(OTHER_SECRET)] })
  const rotated = session({ secrets: [Buffer.from(SECRET), Buffer.from(OTHER_SECRET)] })
  const token = old.sign(times)
  t.match(learn(rotated, token), { kind: 'valid' })
  t.ok(knows(rotated, token))
  t.same(old.read(rotated.sign(times), now), { kind: 'invalid', reason: 'signature' })
  t.end()
})

t.test('a token is weighed without being signed, to the character', (t) => {
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.constant(undefined), fc.array(fc.string()))
  const data = fc.dictionary(fc.string({ unit: 'binary' }), value)
  for (const audience of [undefined, 'shöp']) {
    const tokens = session({ audience })
    fc.assert(fc.property(data, fc.option(fc.string({ unit: 'binary' }), { nil: undefined }), (data, next) => {
      const claims = { ...times, uid: undefined, data, next }
      return tokens.weigh(claims) === tokens.sign(claims).length
    }))
  }
  t.end()
})
