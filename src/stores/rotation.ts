import type { LoginStore, Rotation } from './store.js'

/** What a record keeps of its remember tokens: digests, and times in milliseconds since 1970. */
export interface TokenState {
  /** Digest of the token to be presented next; `null` without a remember cookie. */
  current: string | null
  /** Digest of the one before. */
  previous: string | null
  /** When the current one was put in place. */
  replacedAt: number
  /** Those that were the previous one until a moment ago, the latest last. */
  retired: readonly Retired[]
}

interface Retired { digest: string, at: number }

type Step = Pick<Parameters<LoginStore['rotate']>[2], 'presented' | 'next' | 'graceSeconds' | 'now'>

/** More than this many parallel requests of one browser are not told from reuse, once two more have come back. */
const MAX_RETIRED = 16

export function firstToken (digest: string | null, now: number): TokenState {
  return { current: digest, previous: null, replacedAt: now, retired: [] }
}

/** The rules of `LoginStore.rotate`, without the storing: the verdict, and the state to be stored where it is `'rotated'`. */
export function judge (state: TokenState, step: Step): { verdict: Exclude<Rotation, 'gone'>, state: TokenState } {
  const { presented, next, graceSeconds, now } = step
  const { current, previous, replacedAt } = state
  const inGrace = (since: number) => now - since <= graceSeconds * 1000
  const retired = state.retired.filter(({ at }) => inGrace(at))

  if (presented === current) {
    if (next === null) return { verdict: 'grace', state }
    if (previous !== null) retired.push({ digest: previous, at: now })
    return { verdict: 'rotated', state: { current: next, previous: current, replacedAt: now, retired: retired.slice(-MAX_RETIRED) } }
  }
  if (presented === previous) {
    if (next === null || inGrace(replacedAt)) return { verdict: 'grace', state }
    // The grace begins again: of many requests with this token at once, one gets the new one.
    return { verdict: 'rotated', state: { current: next, previous, replacedAt: now, retired } }
  }
  return { verdict: retired.some(({ digest }) => digest === presented) ? 'grace' : 'reuse', state }
}
