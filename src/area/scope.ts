import type { FastifyInstance } from 'fastify'
import { InvalidOptionsError } from '../errors.js'
import type { AttachedSession } from '../session/attached-session.js'

/** What this package has registered in one scope; enclosing scopes are reached through `parent`. */
export interface Scope {
  readonly instance: FastifyInstance
  readonly parent: Scope | undefined
  readonly cookies: { name: string, secrets: readonly Buffer[] }[]
  session: AttachedSession | undefined
  /** Whether a login lives in this scope, on its own session or on a `jwtSession`. */
  hasLogin: boolean
  /** Whether this login lives in the session of another plugin. */
  external: boolean
  /** Whether some login writes into this scope's session. */
  ridden: boolean
}

// Symbols of the registry: an application may load the ESM and the CommonJS build side by side.
const SCOPE = Symbol.for('fastify-login.scope')
const SCOPES = Symbol.for('fastify-login.scopes')

type WithScopes = FastifyInstance & { [SCOPE]?: Scope }

/** This scope's record, made at the first registration in it. */
export function scopeOf (fastify: FastifyInstance): Scope {
  const instance = fastify as WithScopes
  if (Object.hasOwn(instance, SCOPE)) return instance[SCOPE]!
  const scope: Scope = {
    instance, parent: instance[SCOPE], cookies: [], session: undefined, hasLogin: false, external: false, ridden: false
  }
  instance[SCOPE] = scope
  allScopes(fastify).push(scope)
  return scope
}

/** Every scope of the application; they share its server. */
function allScopes (fastify: FastifyInstance): Scope[] {
  const server = fastify.server as typeof fastify.server & { [SCOPES]?: Scope[] }
  return (server[SCOPES] ??= [])
}

/** The nearest session of `jwtSession` here or in an enclosing scope. */
export function nearestSession (scope: Scope | undefined): { session: AttachedSession, owner: Scope } | undefined {
  for (let owner = scope; owner !== undefined; owner = owner.parent) {
    if (owner.session !== undefined) return { session: owner.session, owner }
  }
  return undefined
}

/**
 * Claims the cookie names for this scope. One that an enclosing scope uses would overwrite its cookie; beside each other two
 * areas may use one name, but not with one secret: their tokens could not be told apart.
 * @throws FST_LOGIN_INVALID_OPTIONS
 */
export function claimCookies (
  fastify: FastifyInstance, scope: Scope, names: readonly string[], secrets: readonly Buffer[]
): void {
  for (const name of names) {
    for (const other of allScopes(fastify)) {
      const encloses = isEnclosedBy(scope, other) || Object.prototype.isPrototypeOf.call(fastify, other.instance)
      const taken = other.cookies.some((cookie) => cookie.name === name &&
        (encloses || cookie.secrets.some((key) => secrets.some((own) => own.equals(key)))))
      if (taken) {
        const taker = encloses ? 'an enclosing scope, or one inside' : 'another area with the same secret'
        throw new InvalidOptionsError(`fastify-login cannot start: the cookie name ${name} is taken by ${taker}; ` +
          'give this area names of its own (session.cookieName, remember.cookieName)')
      }
    }
  }
  scope.cookies.push(...names.map((name) => ({ name, secrets })))
}

/**
 * The session of another plugin has one place for a login: two areas would accept each other's users.
 * @throws FST_LOGIN_INVALID_OPTIONS
 */
export function claimExternalSession (fastify: FastifyInstance, scope: Scope): void {
  if (allScopes(fastify).some(({ external }) => external)) {
    throw new InvalidOptionsError('fastify-login cannot start: another login of this application lives in an ' +
      'external session already, and one session holds one login; give this area a session of its own')
  }
  scope.external = true
}

function isEnclosedBy (scope: Scope, other: Scope): boolean {
  for (let outer: Scope | undefined = scope; outer !== undefined; outer = outer.parent) if (outer === other) return true
  return false
}
