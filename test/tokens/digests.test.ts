import t from 'tap'
import { createDigests } from '../../src/tokens/digests.js'
import { OTHER_SECRET, SECRET } from '../support/tokens.js'

const first = Buffer.from(SECRET)
const second = Buffer.from(OTHER_SECRET)
const third = Buffer.from('a third secret of more than 32 bytes')
const { digest, compare } = createDigests([first], 'stamp')

t.test('a value has one digest under one secret, and it does not show the value', (t) => {
  t.equal(digest('scrypt$abc'), digest('scrypt$abc'))
  t.match(digest('scrypt$abc'), /^[\w-]{22}$/)
  t.not(digest('scrypt$abc'), digest('scrypt$abd'))
  t.match(digest(''), /^[\w-]{22}$/)
  t.equal(compare(digest('scrypt$abc'), 'scrypt$abc'), 'current')
  t.equal(compare(digest(''), ''), 'current')
  t.equal(compare(digest('é🔑'), 'é🔑'), 'current')
  t.end()
})

t.test('another value, no digest and what is no digest count as changed', (t) => {
  const good = digest('value')
  for (const given of [
    undefined, '', 'x', good.slice(1), `${good}AAAA`, digest('other'), 'é'.repeat(22), good.toUpperCase(),
    '='.repeat(24)
  ]) {
    t.equal(compare(given, 'value'), 'changed', String(given))
  }
  t.end()
})

t.test('digests under older secrets are known as old, under foreign ones as changed', (t) => {
  const rotated = createDigests([third, second, first], 'stamp')
  t.equal(rotated.compare(digest('value'), 'value'), 'old')
  t.equal(rotated.compare(digest('value'), 'other'), 'changed')
  t.equal(rotated.compare(rotated.digest('value'), 'value'), 'current')
  t.equal(compare(rotated.digest('value'), 'value'), 'changed')
  t.end()
})

t.test('a digest for one purpose serves no other', (t) => {
  const fingerprints = createDigests([first], 'fingerprint')
  t.not(fingerprints.digest('value'), digest('value'))
  t.equal(fingerprints.compare(digest('value'), 'value'), 'changed')
  t.end()
})
