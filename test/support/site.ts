import type { FastifyInstance } from 'fastify'
import type { FastifyLoginOptions, UserId } from '../../src/index.js'
import { build } from './app.js'
import { Browser, doDeed } from './browser.js'
import { Clock } from './clock.js'
import { people } from './users.js'
import type { TestUser } from './users.js'

/** Pages in one scope: `/who` tells whom it sees, `/members` and `/fresh` are guarded, `/do` does what the browser asks. */
export function furnish (app: FastifyInstance): void {
  const { guard, guardFresh } = app.login
  app.get('/who', async (request) => {
    const user = await request.getCurrentUser<TestUser>()
    return { user: user?.id ?? null, ...request.loginState }
  })
  app.get('/members', { preHandler: guard() }, async (request) => request.requireUser<TestUser>().name)
  app.get('/fresh', { preHandler: guardFresh() }, async (request) => request.requireUser<TestUser>().name)
  app.get('/public', async () => 'public')
  app.post('/do', async (request, reply) => {
    const answer = await doDeed(request, reply)
    return reply.sent ? reply : answer ?? 'done'
  })
}

/** An application with these users (Ann and Bob if none are named) and those pages. */
export async function site (options: FastifyLoginOptions = {}, users: TestUser[] = []) {
  const clock = new Clock()
  const { byId, userLoader } = people(...users)
  const loads: UserId[] = []
  const load = (id: UserId) => {
    loads.push(id)
    return userLoader(id)
  }
  const app = await build({ clock: clock.read, userLoader: load, ...options })
  furnish(app)
  return { app, clock, byId, loads, user: (id: UserId) => byId.get(id)!, visitor: () => new Browser(app) }
}
