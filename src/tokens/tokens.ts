import { Ajv } from 'ajv'
import { createSigner, createVerifier, TokenError } from 'fast-jwt'
import type { UserId } from '../options/options.js'
import { VerifiedTokens } from './verified-tokens.js'

/** The login inside a token. `auth_time` in seconds since 1970 (OpenID Connect Core, section 2). */
export interface LoginClaims {
  readonly uid: UserId
  readonly sid: string
  readonly auth_time: number
  readonly fresh?: boolean | undefined
  /** Keyed digest of `userStamp(user)`. */
  readonly stamp?: string | undefined
  /** Keyed digest of `fingerprint(request)`. */
  readonly fp?: string | undefined
}

/** What names a login. */
export type LoginId = Pick<LoginClaims, 'uid' | 'sid'>

/** What every token carries: the cookie it counts in, and its times in seconds since 1970 (RFC 7519, section 4.1). */
export interface CommonClaims {
  readonly ck: string
  readonly aud?: string
  readonly iat: number
  readonly exp: number
  /** When the session, or the login, began; the absolute limit counts from it and it never moves. */
  readonly born: number
}

/** With a login, all of its claims that must be there; without one, none. */
type MaybeLoginClaims = { readonly [K in keyof LoginClaims]?: LoginClaims[K] | undefined }

export interface SessionClaims extends CommonClaims, MaybeLoginClaims {
  /** The application's values; one level down, so that a key named `exp` is just a key. */
  readonly data?: { readonly [key: string]: unknown } | undefined
  /** Where to go after the login, with `nextIn: 'session'`. */
  readonly next?: string | undefined
}

export interface RememberClaims extends CommonClaims, Omit<LoginClaims, 'fresh' | 'fp'> {
  readonly days: number
  /** Single-use token, with a store. */
  readonly tok?: string | undefined
}

/** A moment as tokens name it: milliseconds in, whole seconds out (RFC 7519, section 2). */
export function numericDate (milliseconds: number): number {
  return Math.floor(milliseconds / 1000)
}

/** Why a token was not accepted; never what it said. */
export type InvalidReason = 'malformed' | 'signature' | 'algorithm' | 'type' | 'claims' | 'expired'

type Valid<C> = { readonly kind: 'valid', readonly claims: C }

export type Reading<C> = Valid<C> | { readonly kind: 'invalid', readonly reason: InvalidReason }

/** Signs and verifies the tokens of one cookie. */
export interface Tokens<C extends CommonClaims> {
  sign (claims: Omit<C, 'ck' | 'aud'>): string
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

const kinds = {
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

type Kind = keyof typeof kinds
type ClaimsOf = { session: SessionClaims, remember: RememberClaims }

export interface TokenSettings {
  secrets: readonly [Buffer, ...Buffer[]]
  cookieName: string
  audience: string | undefined
  cacheSize: number
  /** A token ends so long after `born`, also one signed when the limit was higher; `Infinity` for no such limit. */
  absoluteSeconds: number
}

export function createTokens<K extends Kind> (kind: K, { secrets, cookieName, audience, cacheSize, absoluteSeconds }: TokenSettings): Tokens<ClaimsOf[K]> {
  const { typ, required, dependencies, properties } = kinds[kind]
  const signer = createSigner({ key: secrets[0], algorithm: 'HS256', header: { alg: 'HS256', typ } })
  // fast-jwt's own cache hashes each token and hands the same mutable payload to everyone, so it stays off. Expiry is
  // checked here, by the time given, on hits and misses alike; fast-jwt would throw a RangeError at an absurd exp.
  const verifiers = secrets.map((key) => createVerifier({ key, algorithms: ['HS256'], checkTyp: typ, cache: false, ignoreExpiration: true }))
  // Its schema is ours and constant: checking that against the meta-schema is most of what a start would cost.
  const hasClaims = new Ajv({ meta: false, validateSchema: false }).compile<ClaimsOf[K]>({
    type: 'object',
    required: audience === undefined ? required : [...required, 'aud'],
    dependencies,
    properties: { ...properties, iat: seconds, exp: seconds, born: seconds, ck: { const: cookieName }, aud: audience === undefined ? false : { const: audience } }
  })
  const verified = cacheSize > 0 ? new VerifiedTokens<Valid<ClaimsOf[K]>>(cacheSize) : undefined

  return {
    sign: (claims) => signer({ ck: cookieName, aud: audience, ...claims }),
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

  function verify (token: string): Reading<ClaimsOf[K]> {
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
