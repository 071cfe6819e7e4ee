import { DAY, START } from '../support/clock.js'
import { forge, OTHER_SECRET } from '../support/tokens.js'

const now = START / 1000
const good = {
  ck: '_remember', uid: 'ann', sid: 'sid', days: 14, iat: now, exp: now + 14 * DAY, born: now, auth_time: now
}
const typ = 'remember+jwt'
const unsigned = (header: object, claims: object) =>
  [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.') + '.'
/** The one that the others are made from: it restores. */
export const token = forge(good, { typ })
const ofBob = Buffer.from(JSON.stringify({ ...good, uid: 'bob' })).toString('base64url')

/** By what is wrong with it: the value, and the reason it is refused for, or several. */
export const bad: Record<string, [string, string]> = {
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
