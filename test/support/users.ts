import type { LoginUser } from 'fastify'
import type { UserId } from '../../src/index.js'

export interface TestUser {
  id: UserId
  name: string
  password?: string
  isActive?: boolean
}

/** Users over a Map, as in the README. */
export function people (...users: TestUser[]) {
  const all = users.length > 0 ? users : [{ id: 'ann', name: 'Ann' }, { id: 'bob', name: 'Bob' }]
  const byId = new Map<UserId, TestUser>(all.map((user) => [user.id, user]))
  return { byId, userLoader: (id: UserId) => (byId.get(id) ?? null) as LoginUser | null }
}
