import type { LoginSessionData } from 'fastify'
import type { SessionCookieOptions } from '../options/options.js'
import type { CookieSession } from './cookie-session.js'

type SessionValue<K> = K extends keyof LoginSessionData ? LoginSessionData[K] : unknown

/** `request.session`, besides its property style. Login state is not among its keys. */
export interface LoginSession {
  /** The value, or `undefined`. Changes in place are saved too. */
  get<K extends string> (key: K): SessionValue<K> | undefined
  /** Stores what JSON can carry; `undefined` removes. A cookie too large is FST_LOGIN_COOKIE_TOO_LARGE at the response. */
  set<K extends string> (key: K, value: SessionValue<K> | undefined): void
  /** Whether there is such a value. */
  has (key: string): boolean
  /** Removes the value. */
  unset (key: string): void
  /** All values, as a plain object. */
  data (): Partial<LoginSessionData> & Record<string, unknown>
  /** Ends everything this browser has: values, login, remember cookie. `set` after it starts anew. */
  delete (): void
  /** A new session with the values named in `keep`; ends the login too, and clears the remember cookie. */
  regenerate (keep?: readonly string[]): void
  /** Renews the cookie with this response, due or not. */
  touch (): void
  /** Attributes for what this response sets. */
  options (options: SessionCookieOptions): void
  /** Whether this response will write the cookie because something in the session changed. */
  readonly changed: boolean
  /** Whether the session was deleted, and nothing set since. */
  readonly deleted: boolean
}

/** Other members of an options object (csrf-protection hands over `userInfo`) are nobody's business. */
const COOKIE_OPTIONS = [
  'domain', 'path', 'httpOnly', 'sameSite', 'secure', 'partitioned', 'priority', 'maxAge', 'expires'
] as const

/**
 * What the application sees as `request.session`: methods, and the values property style, which is how `@fastify/flash`,
 * `@fastify/csrf-protection` and `@fastify/passport` use a session. Made only when somebody reads `request.session`.
 */
export function sessionProxy (session: CookieSession): LoginSession {
  const members: LoginSession = {
    get: (key) => session.values.get(key) as never,
    set: (key, value) => session.set(key, value),
    has: (key) => session.values.has(key),
    unset: (key) => session.set(key, undefined),
    data: () => Object.fromEntries(session.values) as never,
    delete: () => session.delete(),
    regenerate: (keep = []) => session.regenerate(keep),
    touch: () => session.touch(),
    options: (options) => session.options(cookieOptions(options)),
    get changed () { return session.changed },
    get deleted () { return session.deleted }
  }
  return new Proxy(members, {
    get: (target, key) => isValue(target, key) ? session.values.get(key) : Reflect.get(target, key),
    set: (target, key, value) => {
      // `get`, `set` and the like name methods here; as values they are reached through get() and set().
      if (!isValue(target, key)) return false
      session.set(key, value)
      return true
    },
    has: (target, key) => isValue(target, key) ? session.values.has(key) : Reflect.has(target, key),
    deleteProperty: (target, key) => {
      if (!isValue(target, key)) return false
      session.set(key, undefined)
      return true
    },
    defineProperty: (target, key, descriptor) => {
      if (!isValue(target, key) || !('value' in descriptor)) return false
      session.set(key, descriptor.value)
      return true
    },
    ownKeys: () => [...session.values.keys()],
    getOwnPropertyDescriptor: (_target, key) => typeof key === 'string' && session.values.has(key)
      ? { value: session.values.get(key), writable: true, enumerable: true, configurable: true }
      : undefined
  })
}

function isValue (members: LoginSession, key: string | symbol): key is string {
  return typeof key === 'string' && !Object.hasOwn(members, key)
}

function cookieOptions (options: SessionCookieOptions): SessionCookieOptions {
  const given = COOKIE_OPTIONS.filter((name) => options[name] !== undefined)
  return Object.fromEntries(given.map((name) => [name, options[name]]))
}
