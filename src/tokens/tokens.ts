import { Ajv } from 'ajv'
import { createSigner, createVerifier, TokenError } from 'fast-jwt'
import type { CommonClaims, InvalidReason, RememberClaims, SessionClaims, Unsigned } from './claims.js'
import { VerifiedTokens } from './verified-tokens.js'

type Valid<C> = { readonly kind: 'valid', readonly claims: C }

export type Reading<C> = Valid<C> | { readonly kind: 'invalid', readonly reason: InvalidReason }

/** Signs and verifies the tokens of one cookie. */
export interface Tokens<C extends CommonClaims> {
  sign (claims: Unsigned<C>): string
  /** How long the token would be that `sign` makes of this, without the work of signing. */
  weigh (claims: Unsigned<C>): number
  /**
   * Claims of a token that passed everything, or the reason why not; `now` in milliseconds. Never throws. The claims are shared
   * between requests: frozen, and what is inside `data` not to be handed out.
   */
  read (token: string, now: number): Reading<C>
}

const seconds = { type: 'integer', minimum: 0, maximum: 8_640_000_000_000 }
const word = { type: 'string', minLength: 1 }
const userId = { anyOf: [word, { type: 'number' }] }
const login = { uid: userId, sid: word, auth_time: seconds, stamp: word }

const purposes = {
  session: {
    typ: 'session+jwt',
    required: ['ck', 'iat', 'exp', 'born'],
    dependencies: { uid: ['sid', 'auth_time'] },
    properties: { ...login, fresh: { type: 'boolean' }, fp: word, data: { type: 'object' }, next: word }
  },
  remember: {
    typ: 'remember+jwt',
    required: ['ck', 'iat', 'exp', 'born', 'uid', 'sid', 'auth_time', 'days'],
    dependencies: {},
    properties: { ...login, days: { type: 'integer', minimum: 1 }, tok: word }
  }
}

type Purpose = keyof typeof purposes
type ClaimsOf = { session: SessionClaims, remember: RememberClaims }

export interface TokenSettings {
  secrets: readonly [Buffer, ...Buffer[]]
  cookieName: string
  audience: string | undefined
  cacheSize: number
  /** A token ends so long after `born`, also one signed when the limit was higher; `Infinity` for no such limit. */
  absoluteSeconds: number
}

export function createTokens<P extends Purpose> (purpose: P, settings: TokenSettings): Tokens<ClaimsOf[P]> {
  const { secrets, cookieName, audience, cacheSize, absoluteSeconds } = settings
  const { typ, required, dependencies, properties } = purposes[purpose]
  const signer = createSigner({ key: secrets[0], algorithm: 'HS256', header: { alg: 'HS256', typ } })
  const sign = (claims: object): string => signer({ ck: cookieName, aud: audience, ...claims })
  const withoutPayload = sign({ iat: 0 }).length - base64Length(payloadBytes({ iat: 0 }))
  // fast-jwt's own cache hashes each token and hands the same mutable payload to everyone, so it stays off. Expiry is
  // checked here, by the time given, on hits and misses alike; fast-jwt would throw a RangeError at an absurd exp.
  const verifiers = secrets.map((key) =>
    createVerifier({ key, algorithms: ['HS256'], checkTyp: typ, cache: false, ignoreExpiration: true }))
  // Its schema is ours and constant: checking that against the meta-schema is most of what a start would cost.
  const hasClaims = new Ajv({ meta: false, validateSchema: false }).compile<ClaimsOf[P]>({
    type: 'object',
    required: audience === undefined ? required : [...required, 'aud'],
    dependencies,
    properties: {
      ...properties,
      iat: seconds,
      exp: seconds,
      born: seconds,
      ck: { const: cookieName },
      aud: audience === undefined ? false : { const: audience }
    }
  })
  const verified = cacheSize > 0 ? new VerifiedTokens<Valid<ClaimsOf[P]>>(cacheSize) : undefined

  return {
    sign,
    weigh: (claims) => withoutPayload + base64Length(payloadBytes(claims)),
    read (token, now) {
      const known = verified?.get(token)
      const reading = known ?? verify(token)
      if (reading.kind === 'invalid') return reading
      const { exp, born } = reading.claims
      if (Math.min(exp, born + absoluteSeconds) * 1000 <= now) {
        verified?.delete(token)
        return invalid.expired
      }
      if (known === undefined) verified?.offer(token, reading)
      return reading
    }
  }

  function payloadBytes (claims: object): number {
    return Buffer.byteLength(JSON.stringify({ ck: cookieName, aud: audience, ...claims }))
  }

  function verify (token: string): Reading<ClaimsOf[P]> {
    const payload = payloadOf(token)
    if (typeof payload === 'string') return invalid[payload]
    if (!hasClaims(payload)) return invalid.claims
    Object.freeze(payload)
    return { kind: 'valid', claims: payload }
  }

  /** The payload under the first secret that fits, or why there is none. */
  function payloadOf (token: string): object | InvalidReason {
    let reason: InvalidReason = 'malformed'
    for (const verifier of verifiers) {
      try {
        const payload = verifier(token) as object
        return CANONICAL.test(token) ? payload : 'malformed'
      } catch (error) {
        reason = reasonOf(error)
        if (reason !== 'signature') break
      }
    }
    return reason
  }
}

/** Characters of so many bytes in base64url, which has no padding (RFC 4648, section 5). */
function base64Length (bytes: number): number {
  return Math.ceil(bytes * 4 / 3)
}

/**
 * The last of the 43 characters of a signature stands for four bits, and the two it could hold besides are ignored: four
 * spellings verify, and nothing outside the alphabet does. Only the one we wrote counts (RFC 4648, section 3.5), so that a token
 * has one text.
 */
const CANONICAL = /[AEIMQUYcgkosw048]$/

const invalid = {
  malformed: { kind: 'invalid', reason: 'malformed' },
  signature: { kind: 'invalid', reason: 'signature' },
  algorithm: { kind: 'invalid', reason: 'algorithm' },
  type: { kind: 'invalid', reason: 'type' },
  claims: { kind: 'invalid', reason: 'claims' },
  expired: { kind: 'invalid', reason: 'expired' }
} as const satisfies { [R in InvalidReason]: Reading<never> }

const reasons: { [code: string]: InvalidReason } = {
  [TokenError.codes.invalidSignature]: 'signature',
  [TokenError.codes.missingSignature]: 'signature',
  [TokenError.codes.invalidAlgorithm]: 'algorithm',
  [TokenError.codes.invalidType]: 'type'
}

/** Not every failure is a TokenError, and none may become an answer to the visitor. */
function reasonOf (error: unknown): InvalidReason {
  return reasons[String((error as { code?: unknown }).code)] ?? 'malformed'
}
