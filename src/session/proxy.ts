import type { Session } from './cookie-session.js'
import type { LoginSession, SessionCookieOptions } from '../options/options.js'

/** Other members of an options object (csrf-protection hands over `userInfo`) are nobody's business. */
const COOKIE_OPTIONS = ['domain', 'path', 'httpOnly', 'sameSite', 'secure', 'partitioned', 'priority', 'maxAge', 'expires'] as const

/**
 * What the application sees as `request.session`: methods, and the values property style, which is how `@fastify/flash`,
 * `@fastify/csrf-protection` and `@fastify/passport` use a session. Made only when somebody reads `request.session`.
 */
export function sessionProxy (session: Session): LoginSession {
  const members: LoginSession = {
    get: (key) => session.open().get(key) as never,
    set: (key, value) => session.set(key, value),
    has: (key) => session.open().has(key),
    unset: (key) => session.set(key, undefined),
    data: () => Object.fromEntries(session.open()) as never,
    delete: () => session.delete(),
    regenerate: (keep = []) => session.regenerate(keep),
    touch: () => session.touch(),
    options: (options) => session.options(cookieOptions(options)),
    get changed () { return session.changed },
    get deleted () { return session.deleted }
  }
  return new Proxy(members, {
    get: (target, key) => isValue(target, key) ? session.open().get(key) : Reflect.get(target, key),
    set: (target, key, value) => {
      // `get`, `set` and the like name methods here; as values they are reached through get() and set().
      if (!isValue(target, key)) return false
      session.set(key, value)
      return true
    },
    has: (target, key) => isValue(target, key) ? session.open().has(key) : Reflect.has(target, key),
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
    ownKeys: () => [...session.open().keys()],
    getOwnPropertyDescriptor: (_target, key) => typeof key === 'string' && session.open().has(key)
      ? { value: session.open().get(key), writable: true, enumerable: true, configurable: true }
      : undefined
  })
}

function isValue (members: LoginSession, key: string | symbol): key is string {
  return typeof key === 'string' && !Object.hasOwn(members, key)
}

function cookieOptions (options: SessionCookieOptions): SessionCookieOptions {
  return Object.fromEntries(COOKIE_OPTIONS.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]))
}
