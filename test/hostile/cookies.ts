import { createHmac } from 'node:crypto'
import type { InvalidReason } from '../../src/tokens/claims.js'
import { START } from '../support/clock.js'
import { forge, OTHER_SECRET, SECRET } from '../support/tokens.js'

/** When the good tokens are good; the reasons below are those of that second. */
export const now = START / 1000
/** Claims of every token. */
export const common = { iat: now - 10, exp: now + 500, born: now - 100 }
const login = { uid: 'ann', sid: 'some-login', auth_time: now - 100 }

/** Both cookies: their name, a token type, claims that pass. */
export const kinds = {
  session: {
    name: 'sid', typ: 'session+jwt', claims: { ck: 'sid', ...common, ...login, fresh: true, data: { cart: 1 } }
  },
  remember: { name: 'stay', typ: 'remember+jwt', claims: { ck: 'stay', ...common, ...login, days: 7 } }
}
export type Kind = keyof typeof kinds

const base64 = (text: string) => Buffer.from(text).toString('base64url')

/** A token whose header and payload are what no library would sign; the signature is right. */
export function raw (payload: string, header: Record<string, unknown>): string {
  const signed = `${base64(JSON.stringify({ alg: 'HS256', ...header }))}.${base64(payload)}`
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Another spelling of the same signature: the last two bits of its last character say nothing. */
function respelt (token: string): string {
  const last = LETTERS.indexOf(token.at(-1)!)
  return token.slice(0, -1) + LETTERS[last ^ 1]
}

/** What a cookie of that kind may hold: a name for it, the value, and the reason it is refused for. */
export function hostile (kind: Kind): [string, string, InvalidReason][] {
  const { typ, claims } = kinds[kind]
  const other = kinds[kind === 'session' ? 'remember' : 'session']
  const good = forge(claims, { typ })
  const [header, payload, signature] = good.split('.') as [string, string, string]
  const without = (name: string) => raw(JSON.stringify({ ...claims, [name]: undefined }), { typ })
  const having = (changes: object) => raw(JSON.stringify({ ...claims, ...changes }), { typ })
  /** A literal JSON.stringify would never write. */
  const literal = (name: string, value: string) =>
    raw(JSON.stringify({ ...claims, [name]: '?' }).replace('"?"', value), { typ })
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
