import type { FastifyInstance, FastifyReply, FastifyRequest, LightMyRequestResponse, LoginUser } from 'fastify'
import type { FastifyLoginOptions, Login, LoginEvents, LoginUserOptions, UserId } from '../../src/index.js'
import { Browser, build, Clock, people } from './helpers.js'
import type { TestUser } from './helpers.js'

type Deed = (request: FastifyRequest, reply: FastifyReply) => unknown

const deeds = new Map<string, Deed>()

/** Pages in one scope: `/who` tells whom it sees, `/members` and `/fresh` are guarded, `/do` runs what the test says. */
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
    const answer = await deeds.get(String(request.headers['x-deed']))!(request, reply)
    return reply.sent ? reply : answer ?? 'done'
  })
}

/** A browser that can have the server do things. */
export class Visitor extends Browser {
  constructor (app: FastifyInstance, private readonly prefix = '') {
    super(app)
  }

  /** Runs `deed` as the handler of an unguarded route. */
  does (deed: Deed, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    const key = String(deeds.size)
    deeds.set(key, deed)
    return this.send({ method: 'POST', url: `${this.prefix}/do`, headers: { ...headers, 'x-deed': key } })
  }

  /** As `does`, and it has to work: a check in the deed cannot be skipped by an error before it. */
  async can (deed: Deed, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    const response = await this.does(deed, headers)
    if (response.statusCode >= 400) throw new Error(`the server answered ${response.statusCode}: ${response.body}`)
    return response
  }

  signIn (user: TestUser, options: LoginUserOptions = {}, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    return this.does((_request, reply) => reply.loginUser(user as LoginUser, options), headers)
  }

  signOut (): Promise<LightMyRequestResponse> {
    return this.does((_request, reply) => reply.logoutUser())
  }

  /** Whom the server sees: the user's id or `null`, with the login's state. */
  async who (headers: Record<string, string> = {}): Promise<Record<string, unknown>> {
    const response = await this.get(`${this.prefix}/who`, headers)
    return response.json()
  }
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
  return { app, clock, byId, loads, user: (id: UserId) => byId.get(id)!, visitor: () => new Visitor(app) }
}

const EVENTS = [
  'login', 'logout', 'restore', 'confirm', 'unauthorized', 'needsRefresh', 'protect', 'reuse', 'revoke', 'invalidToken'
] as const satisfies readonly (keyof LoginEvents)[]

/** Everything that login tells from now on, in order. */
export function listen (login: Login) {
  const heard: { event: keyof LoginEvents, payload: Record<string, unknown> }[] = []
  for (const event of EVENTS) login.on(event, (payload) => { heard.push({ event, payload: { ...payload } }) })
  return heard
}

export const DAY = 86_400
