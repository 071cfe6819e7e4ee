import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

/**
 * Keyed digests of values that must not be readable in a token, which whoever holds it can decode. Each purpose has a key of
 * its own (HKDF, RFC 5869), so no digest serves for another purpose and none for a JWT signature.
 */
export interface Digests {
  /** Digest under the first secret. */
  digest (value: string): string
  /** Whether `digest` is that of `value` under the first secret, an older one, or none. */
  compare (digest: string | undefined, value: string): Comparison
}

/** How a value of now compares with its digest in a token. */
export type Comparison = 'current' | 'old' | 'changed'

/** 128 bits: nobody can search for a second value, as the key is secret. Keeps the cookies small. */
const DIGEST_BYTES = 16

export function createDigests (secrets: readonly [Buffer, ...Buffer[]], purpose: string): Digests {
  const keys = secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', `fastify-login ${purpose}`, 32)))
  const under = (key: Buffer, value: string) =>
    createHmac('sha256', key).update(value).digest().subarray(0, DIGEST_BYTES)
  return {
    digest: (value) => under(keys[0]!, value).toString('base64url'),
    compare (digest, value) {
      const given = Buffer.from(digest ?? '', 'base64url')
      if (given.length !== DIGEST_BYTES) return 'changed'
      const match = keys.findIndex((key) => timingSafeEqual(under(key, value), given))
      return match === 0 ? 'current' : match > 0 ? 'old' : 'changed'
    }
  }
}
