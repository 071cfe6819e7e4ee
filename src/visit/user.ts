import type { LoginUser } from 'fastify'
import { InvalidUserError, kindOf, UserWithoutIdError } from '../errors.js'
import type { UserId } from '../tokens/claims.js'

/** The user's id. @throws FST_LOGIN_USER_WITHOUT_ID; `call` names who brought the user */
export function idOf (user: LoginUser, call: string): UserId {
  const isObject = typeof user === 'object' || typeof user === 'function'
  const id = isObject ? (user as { id?: unknown } | null)?.id : undefined
  if ((typeof id === 'string' && id !== '') || (typeof id === 'number' && Number.isFinite(id))) return id
  throw new UserWithoutIdError(call, id === undefined ? `${kindOf(user)} without id` : kindOf(id))
}

/** @throws FST_LOGIN_INVALID_USER where it cannot be told: a 0 from a database is no answer */
export function isActive (user: LoginUser): boolean {
  const active = (user as { isActive?: unknown }).isActive
  if (active === undefined || typeof active === 'boolean') return active !== false
  throw new InvalidUserError(kindOf(active))
}
