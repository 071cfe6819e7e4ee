import { AsyncLocalStorage } from 'node:async_hooks'
import type {
  FastifyInstance, FastifyReply, FastifyRequest, InjectOptions, LightMyRequestResponse, LoginUser, RouteShorthandOptions
} from 'fastify'
import type { LoginUserOptions } from '../../src/index.js'
import type { TestUser } from './users.js'

/** What a test has the server do in the handler of a request. */
type Deed = (request: FastifyRequest, reply: FastifyReply) => unknown

/** The deed of the request under way: it travels with it, and nobody has to keep it. */
const deeds = new AsyncLocalStorage<Deed>()

/** Does what the browser asked for that sent this request. */
export function doDeed (request: FastifyRequest, reply: FastifyReply): unknown {
  const deed = deeds.getStore()
  if (deed === undefined) throw new Error(`${request.url} was asked for without anything to do`)
  return deed(request, reply)
}

interface ParsedCookie {
  name: string
  value: string
  maxAge?: number
  expires?: Date
  path?: string
  [attribute: string]: unknown
}

/**
 * A browser over inject: keeps cookies, sends them back, forgets what was cleared. Before the pages of `site.ts` it can sign in
 * and have the server do things; with a `prefix` before those below it.
 */
export class Browser {
  constructor (
    private readonly app: FastifyInstance,
    private readonly prefix = '',
    readonly jar = new Map<string, ParsedCookie>()
  ) {}

  /** The same browser, before the pages below `prefix`. */
  below (prefix: string): Browser {
    return new Browser(this.app, prefix, this.jar)
  }

  async send (request: InjectOptions): Promise<LightMyRequestResponse> {
    const cookies = Object.fromEntries([...this.jar.values()].map(({ name, value }) => [name, value]))
    const response = await this.app.inject({ ...request, cookies: { ...cookies, ...request.cookies } })
    this.receive(response)
    return response
  }

  get (url: string, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    return this.send({ method: 'GET', url, headers })
  }

  post (url: string, payload?: object, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    return this.send({ method: 'POST', url, headers, ...payload === undefined ? {} : { payload } })
  }

  /** Keeps and forgets cookies as a response says. */
  receive (response: LightMyRequestResponse): void {
    for (const cookie of response.cookies as ParsedCookie[]) {
      if (cookie.maxAge === 0) this.jar.delete(cookie.name)
      else this.jar.set(cookie.name, cookie)
    }
  }

  /** Has these cookies from now on, wherever they come from. */
  keep (cookies: Record<string, string>): void {
    for (const [name, value] of Object.entries(cookies)) this.jar.set(name, { name, value })
  }

  /** Session cookies go, those with a lifetime stay. */
  close (): void {
    for (const [name, { maxAge, expires }] of this.jar) {
      if (maxAge === undefined && expires === undefined) this.jar.delete(name)
    }
  }

  cookie (name: string): string | undefined {
    return this.jar.get(name)?.value
  }

  /** Sends a request to a page that does what it is told. */
  ask (request: InjectOptions, deed: Deed): Promise<LightMyRequestResponse> {
    return deeds.run(deed, () => this.send(request))
  }

  /** Runs `deed` as the handler of an unguarded route. */
  does (deed: Deed, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    return this.ask({ method: 'POST', url: `${this.prefix}/do`, headers }, deed)
  }

  /** As `does`, and it has to work: a check in the deed cannot be skipped by an error before it. */
  async can (deed: Deed, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    const response = await this.does(deed, headers)
    if (response.statusCode >= 400) throw new Error(`the server answered ${response.statusCode}: ${response.body}`)
    return response
  }

  signIn (
    user: TestUser, options: LoginUserOptions = {}, headers: Record<string, string> = {}
  ): Promise<LightMyRequestResponse> {
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

/** Names of the cookies a response sets or clears, in order. */
export function setCookies (response: LightMyRequestResponse): string[] {
  return (response.cookies as ParsedCookie[]).map(({ name, maxAge }) => maxAge === 0 ? `-${name}` : name).sort()
}

type Act = (session: FastifyRequest['session'], request: FastifyRequest, reply: FastifyReply) => unknown

/** One browser before one page, `/`, which does what each visit says and answers what that returns. */
export function onePage (app: FastifyInstance, routeOptions: RouteShorthandOptions = {}) {
  const browser = new Browser(app)
  app.get('/', routeOptions, async (request, reply) => await doDeed(request, reply) ?? null)
  const visit = (act: Act, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> =>
    browser.ask({ method: 'GET', url: '/', headers }, (request, reply) => act(request.session, request, reply))
  return { app, browser, visit }
}
