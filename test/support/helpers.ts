import { createDecoder, createSigner } from 'fast-jwt'
import Fastify from 'fastify'
import type {
  FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions, InjectOptions, LightMyRequestResponse, LoginUser, RouteShorthandOptions
} from 'fastify'
import fastifyLogin, { jwtSession } from '../../src/index.js'
import type { FastifyLoginOptions, JwtSessionOptions, UserId } from '../../src/index.js'

export const SECRET = 'a secret of more than thirty-two bytes'
export const OTHER_SECRET = 'another secret of more than 32 bytes'

/** 2026-01-02T03:04:05Z; any whole second would do. */
export const START = 1_767_323_045_000

/** A clock that moves when told to. */
export class Clock {
  now = START
  read = () => this.now
  advance (seconds: number): void {
    this.now += seconds * 1000
  }

  get seconds (): number {
    return this.now / 1000
  }
}

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

/** An application with the plugin registered; `secret`, users and clock are filled in. */
export async function build (options: FastifyLoginOptions = {}, server: FastifyServerOptions = {}): Promise<FastifyInstance> {
  const app = Fastify(server)
  await app.register(fastifyLogin, { secret: SECRET, userLoader: people().userLoader, ...options })
  return app
}

interface ParsedCookie { name: string, value: string, maxAge?: number, expires?: Date, path?: string, [attribute: string]: unknown }

/** A browser over inject: keeps cookies, sends them back, forgets what was cleared. */
export class Browser {
  readonly jar = new Map<string, ParsedCookie>()

  constructor (private readonly app: FastifyInstance) {}

  async send (request: InjectOptions): Promise<LightMyRequestResponse> {
    const cookies = Object.fromEntries([...this.jar.values()].map(({ name, value }) => [name, value]))
    const response = await this.app.inject({ ...request, cookies: { ...cookies, ...request.cookies } })
    for (const cookie of response.cookies as ParsedCookie[]) {
      if (cookie.maxAge === 0) this.jar.delete(cookie.name)
      else this.jar.set(cookie.name, cookie)
    }
    return response
  }

  get (url: string, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    return this.send({ method: 'GET', url, headers })
  }

  post (url: string, payload?: object, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    return this.send({ method: 'POST', url, headers, ...payload === undefined ? {} : { payload } })
  }

  /** Session cookies go, those with a lifetime stay. */
  close (): void {
    for (const [name, { maxAge, expires }] of this.jar) if (maxAge === undefined && expires === undefined) this.jar.delete(name)
  }

  cookie (name: string): string | undefined {
    return this.jar.get(name)?.value
  }
}

/** Names of the cookies a response sets or clears, in order. */
export function setCookies (response: LightMyRequestResponse): string[] {
  return (response.cookies as ParsedCookie[]).map(({ name, maxAge }) => maxAge === 0 ? `-${name}` : name).sort()
}

const decoder = createDecoder({ complete: true })

/** What a token says, unverified. */
export function claimsOf (token: string | undefined): Record<string, unknown> {
  return (decoder(token ?? '') as { payload: Record<string, unknown> }).payload
}

/** A token signed by whoever has the secret. */
export function forge (claims: object, { secret = SECRET, typ = 'session+jwt', algorithm = 'HS256' as 'HS256' | 'HS384' | 'HS512' } = {}): string {
  return createSigner({ key: secret, algorithm, header: { alg: algorithm, typ } })(claims as Record<string, unknown>)
}

/** An application with the session alone; `secret` is filled in. */
export async function buildSession (options: Partial<JwtSessionOptions> = {}, server: FastifyServerOptions = {}): Promise<FastifyInstance> {
  const app = Fastify(server)
  await app.register(jwtSession, { secret: SECRET, ...options })
  return app
}

type Visit = (session: FastifyRequest['session'], request: FastifyRequest, reply: FastifyReply) => unknown

/** One browser before one page, `/`, which does what each visit says and answers what that returns. */
export function visitor (app: FastifyInstance, routeOptions: RouteShorthandOptions = {}) {
  const browser = new Browser(app)
  let act: Visit = () => null
  app.get('/', routeOptions, async (request, reply) => await act(request.session, request, reply) ?? null)
  const visit = (next: Visit, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> => {
    act = next
    return browser.get('/', headers)
  }
  return { app, browser, visit }
}

/** A logger option that keeps what is logged, from `trace` up. */
export function captureLog () {
  const lines: string[] = []
  const stream = { write: (line: string) => { lines.push(line) } }
  return {
    logger: { level: 'trace', stream },
    text: () => lines.join(''),
    clear: () => { lines.length = 0 },
    entries: (level: 'debug' | 'warn' | 'error') => lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((entry) => entry.level === { debug: 20, warn: 40, error: 50 }[level])
  }
}
