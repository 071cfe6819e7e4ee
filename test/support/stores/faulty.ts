import type { LoginStore } from '../../../src/index.js'

export type Method = keyof LoginStore
export const methods: readonly Method[] = ['create', 'find', 'touch', 'rotate', 'delete', 'list', 'deleteAll']

/** A store whose methods can be made to fail or to wait, each on its own. `calls` says what was asked for, in order. */
export function faulty (real: LoginStore) {
  const faults = new Map<Method, () => Promise<void>>()
  const calls: { method: Method, args: unknown[] }[] = []
  const call = (method: Method) => (...args: unknown[]): unknown => {
    calls.push({ method, args })
    const answer = real[method] as (...args: unknown[]) => unknown
    const fault = faults.get(method)
    return fault === undefined ? answer.apply(real, args) : fault().then(() => answer.apply(real, args))
  }

  return {
    store: Object.fromEntries(methods.map((method) => [method, call(method)])) as unknown as LoginStore,
    calls,
    /** How often the method was asked since the last `count`. */
    count (method: Method): number {
      return calls.splice(0).filter((call) => call.method === method).length
    },
    fail (method: Method, cause: Error): void {
      faults.set(method, () => Promise.reject(cause))
    },
    /** Not even a promise comes back. */
    throwIn (method: Method, cause: Error): void {
      faults.set(method, () => { throw cause })
    },
    /** The next call of the method waits for `release()`; `reached` settles when it has come. */
    hold (method: Method) {
      let release = () => {}
      const released = new Promise<void>((resolve) => { release = resolve })
      const reached = new Promise<void>((resolve) => {
        faults.set(method, () => {
          faults.delete(method)
          resolve()
          return released
        })
      })
      return { reached, release }
    },
    mend (): void {
      faults.clear()
    }
  }
}
