import { LruMap } from 'toad-cache'

/** What finds a token: the end of its signature, 70 bits, as hashing 300 characters costs more than the rest of a hit. */
const KEY_LENGTH = 12

/**
 * Tokens that passed everything; the least recently used leave first. A token enters when it comes for the second time: V8's
 * garbage collector moves what lives on, and for tokens that never come again that costs more than verifying them did.
 */
export class VerifiedTokens<R> {
  private readonly kept: LruMap<{ token: string, reading: R }>
  private readonly visits: Visits

  constructor (size: number) {
    this.kept = new LruMap(size)
    this.visits = new Visits(size)
  }

  get (token: string): R | undefined {
    const key = keyOf(token)
    const found = this.kept.get(key)
    if (found === undefined) return undefined
    // Anybody can put another payload before a signature: what counts is the whole text. Who has the signature has the token,
    // and must not hold its place with anything else.
    if (found.token === token) return found.reading
    this.kept.delete(key)
    return undefined
  }

  /** A token that passed everything. */
  offer (token: string, reading: R): void {
    const key = keyOf(token)
    // Copied, as the text is a slice of the Cookie header and would keep all of that.
    if (this.visits.cameBefore(key)) this.kept.set(key, { token: Buffer.from(token).toString(), reading })
  }

  delete (token: string): void {
    this.kept.delete(keyOf(token))
  }
}

function keyOf (token: string): string {
  return token.slice(-KEY_LENGTH)
}

/** Bytes for each visit of an era: one bit in 128 is set at its end, so that hardly anybody is taken for another. */
const BYTES_EACH = 16
const MAX_BYTES = 2 ** 26

/** Who came before, without keeping anything alive: a Bloom filter with one hash, for this era and the last. */
class Visits {
  private current: Uint8Array
  private last: Uint8Array
  private count = 0
  private readonly mostInEra: number

  /** Remembers at least so many first visits. */
  constructor (size: number) {
    const bytes = Math.min(Math.max(size, 64) * BYTES_EACH, MAX_BYTES)
    this.mostInEra = bytes / BYTES_EACH
    this.current = new Uint8Array(bytes)
    this.last = new Uint8Array(bytes)
  }

  /** Whether this visitor came before; from now on it did. */
  cameBefore (key: string): boolean {
    // Random to whoever has no secret, so that any hash does; decoding the characters would take five times as long.
    let hash = 0
    for (let i = 0; i < key.length; i++) hash = Math.imul(hash, 31) + key.charCodeAt(i)
    const at = (hash >>> 3) % this.current.length
    const bit = 1 << (hash & 7)
    if (((this.current[at]! | this.last[at]!) & bit) !== 0) return true
    if (this.count === this.mostInEra) this.beginEra()
    this.current[at]! |= bit
    this.count++
    return false
  }

  private beginEra (): void {
    [this.current, this.last] = [this.last.fill(0), this.current]
    this.count = 0
  }
}
