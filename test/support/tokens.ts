import { createDecoder, createSigner } from 'fast-jwt'

export const SECRET = 'a secret of more than thirty-two bytes'
export const OTHER_SECRET = 'another secret of more than 32 bytes'

const decoder = createDecoder({ complete: true })

/** What a token says, unverified. */
export function claimsOf (token: string | undefined): Record<string, unknown> {
  return (decoder(token ?? '') as { payload: Record<string, unknown> }).payload
}

/** A token signed by whoever has the secret. */
export function forge (
  claims: object, { secret = SECRET, typ = 'session+jwt', algorithm = 'HS256' as 'HS256' | 'HS384' | 'HS512' } = {}
): string {
  return createSigner({ key: secret, algorithm, header: { alg: algorithm, typ } })(claims as Record<string, unknown>)
}
