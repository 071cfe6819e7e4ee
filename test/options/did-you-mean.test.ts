import t from 'tap'
import { nearest } from '../../src/options/did-you-mean.js'

const known = ['secret', 'userLoader', 'idleSeconds', 'session', 'absoluteSeconds', 'ab']

const table: [string, string, string | undefined][] = [
  ['the word itself', 'secret', 'secret'],
  ['other capitals', 'USERLOADER', 'userLoader'],
  ['dashes', 'user-loader', 'userLoader'],
  ['underscores', 'user_loader', 'userLoader'],
  ['a letter too many', 'secrets', 'secret'],
  ['a letter too few', 'secet', 'secret'],
  ['another letter', 'sekret', 'secret'],
  ['two neighbours swapped', 'secrte', 'secret'],
  ['two edits in a longer word', 'idelSecond', 'idleSeconds'],
  ['two edits in a short word', 'scerte', undefined],
  ['the nearer of two', 'sesion', 'session'],
  ['two letters, one wrong', 'ax', 'ab'],
  ['another word', 'database', undefined],
  ['a word with ours inside', 'jwtSecretKey', undefined],
  ['nothing', '', undefined]
]
for (const [name, word, expected] of table) {
  t.test(`nearest to a word with ${name}: ${expected ?? 'none'}`, (t) => {
    t.equal(nearest(word, known), expected)
    t.end()
  })
}

t.test('where no word is known none is near', (t) => {
  t.equal(nearest('secret', []), undefined)
  t.end()
})
