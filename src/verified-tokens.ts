import { LruMap } from 'toad-cache'

/** What finds a token: 72 bits of its signature, as hashing 300 characters costs more than the rest of a hit. */
const KEY_LENGTH = 12
/** Bytes to note first visits in, for each token that may be kept, and at most in all. */
const BYTES_EACH = 16
const MAX_BYTES = 2 ** 24

/**
 * Tokens that passed everything; the least recently used leave first. A token is kept when it comes for the second time: what
 * is kept V8's garbage collector has to move twice, and for tokens that never come again that costs as much as verifying.
 */
export class VerifiedTokens<R> {
  private readonly kept: LruMap<{ token: string, reading: R }>
  private readonly firstVisits: FirstVisits

  constructor (size: number) {
    this.kept = new LruMap(size)
    this.firstVisits = new FirstVisits(Math.min(size * BYTES_EACH, MAX_BYTES))
  }

  get (token: string): R | undefined {
    const found = this.kept.get(keyOf(token))
    // Anybody can put another payload before a signature: what counts is the whole text.
    return found?.token === token ? found.reading : undefined
  }

  add (token: string, reading: R): void {
    const key = keyOf(token)
    if (!this.firstVisits.note(key)) this.kept.set(key, { token, reading })
  }
}

/** Remembers without keeping anything alive: a bit for each. Who gets the bit of another counts as one who came before. */
class FirstVisits {
  private readonly bits: Uint8Array
  private count = 0

  constructor (bytes: number) {
    this.bits = new Uint8Array(bytes)
  }

  /** Whether this was the first visit. Starts afresh before one bit in 64 is set: then hardly anybody is taken for another. */
  note (key: string): boolean {
    const place = Buffer.from(key, 'base64url').readUInt32LE()
    const at = (place >>> 3) % this.bits.length
    const bit = 1 << (place & 7)
    if ((this.bits[at]! & bit) !== 0) return false
    if (++this.count > this.bits.length / 8) {
      this.bits.fill(0)
      this.count = 1
    }
    this.bits[at]! |= bit
    return true
  }
}

function keyOf (token: string): string {
  return token.slice(-KEY_LENGTH)
}
