import type { MaybePromise } from '../options/options.js'

export function isPromise<T> (value: MaybePromise<T>): value is Promise<T> {
  return typeof (value as Promise<T> | null | undefined)?.then === 'function'
}

/** `next(value)`, without a promise where `value` is none. */
export function then<T, R> (value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return isPromise(value) ? value.then(next) : next(value)
}
