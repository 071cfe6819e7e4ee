import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction, LoginUser } from 'fastify'
import { chooseAnswer } from './answer.js'
import type { Area } from '../session/session.js'
import { flash, handOver } from './refuse.js'
import { CrossOriginError, ForbiddenError, FreshRequiredError, UnauthorizedError } from '../errors.js'
import { isUpgrade } from '../http/headers.js'
import { checkArguments } from '../options/rules.js'
import { isPromise, then } from '../http/promises.js'
import { isAt, locationOf } from '../http/next.js'
import type { OwnPage, Redirects } from '../http/next.js'
import type {
  GuardAnonymousOptions, GuardFreshOptions, GuardHook, GuardOptions, MaybePromise, VerifyHook
} from '../options/options.js'

/** What a login page answers; a guarded `DELETE /login` is something else. */
const FORM_METHODS = ['GET', 'HEAD', 'POST']

/** What a guard found. `anonymous` and `stale` are answered differently. */
type Verdict = 'pass' | 'anonymous' | 'stale' | 'forbidden'

/** What a guard asks for, with the plugin's defaults filled in. */
interface Demand {
  fresh: { maxAgeSeconds: number | undefined } | null
  loginUrl: string | null
  refreshUrl: string | null
  /** Both pages, where they are ours. */
  loginPage: OwnPage | null
  refreshPage: OwnPage | null
  allow: GuardOptions['allow']
  noStore: boolean
  redirect: 'auto' | 'always' | 'never'
}

export interface Guards {
  guard (options?: GuardOptions): GuardHook
  guardFresh (options?: GuardFreshOptions): GuardHook
  guardAnonymous (options?: GuardAnonymousOptions): GuardHook
  verify: VerifyHook
  verifyFresh: VerifyHook
}

export function createGuards (area: Area, redirects: Redirects): Guards {
  const { settings, events } = area

  function demandOf (options: GuardFreshOptions, fresh: Demand['fresh']): Demand {
    const loginUrl = options.loginUrl === undefined ? settings.loginUrl : options.loginUrl
    const noPages = options.loginUrl === null ? null : undefined
    const refreshUrl = [options.refreshUrl, noPages, settings.refreshUrl, options.loginUrl, settings.loginUrl].find((url) => url !== undefined) ?? null
    return {
      fresh,
      loginUrl,
      refreshUrl,
      loginPage: redirects.ownPage(loginUrl),
      refreshPage: redirects.ownPage(refreshUrl),
      allow: options.allow,
      noStore: options.noStore ?? settings.noStore,
      redirect: options.redirect ?? 'auto'
    }
  }

  /** The user first, freshness second. */
  function judge (request: FastifyRequest, demand: Demand): MaybePromise<Verdict> {
    if (isExempt(request, demand)) return 'pass'
    if (isForeignUpgrade(request)) throw new CrossOriginError()
    const current = area.currentUser(request)
    current.noStore = demand.noStore
    const user = current.load()
    return isPromise(user) ? user.then((loaded) => weigh(loaded, request, demand)) : weigh(user, request, demand)
  }

  function weigh (user: LoginUser | null, request: FastifyRequest, demand: Demand): MaybePromise<Verdict> {
    if (user === null) return 'anonymous'
    if (demand.allow === undefined) return freshness(request, demand)
    return then(demand.allow(user, request), (allowed) => allowed ? freshness(request, demand) : 'forbidden')
  }

  function freshness (request: FastifyRequest, { fresh, refreshPage }: Demand): Verdict {
    if (fresh === null || area.currentUser(request).isFresh(fresh.maxAgeSeconds)) return 'pass'
    // Under a fresh guard for a whole scope, the page that confirms a login needs the login only.
    return isAt(request, refreshPage) ? 'pass' : 'stale'
  }

  function isExempt (request: FastifyRequest, { loginPage }: Demand): boolean {
    if (request.method === 'OPTIONS' && isPreflightRoute(request)) return true
    if (isAt(request, loginPage) && FORM_METHODS.includes(request.method)) return true
    return request.routeOptions.config.login?.public === true
  }

  /** Browsers let any page open a WebSocket, with cookies (RFC 6455, section 10.2). */
  function isForeignUpgrade (request: FastifyRequest): boolean {
    const { origin } = request.headers
    if (origin === undefined || !isUpgrade(request)) return false
    if (settings.allowedOrigins.includes(origin) || origin === settings.publicOrigin) return false
    return !URL.canParse(origin) || new URL(origin).host !== request.host
  }

  /** A callback hook: what does not call `done` ends the request, whatever async hooks follow and however the client leaves. */
  function hookFor (demand: Demand): GuardHook {
    return (request, reply, done) => {
      let verdict: MaybePromise<Verdict>
      try {
        verdict = judge(request, demand)
      } catch (error) {
        done(error as Error)
        return
      }
      if (verdict === 'pass') done()
      else if (isPromise(verdict)) verdict.then((settled) => conclude(settled, request, reply, demand, done), done)
      else conclude(verdict, request, reply, demand, done)
    }
  }

  function conclude (verdict: Verdict, request: FastifyRequest, reply: FastifyReply, demand: Demand, done: HookHandlerDoneFunction): void {
    if (verdict === 'pass') return done()
    if (verdict === 'forbidden') return done(new ForbiddenError())
    announce(verdict, request)
    const handler = verdict === 'stale' ? settings.needsRefreshHandler : settings.unauthorizedHandler
    if (handler !== undefined) {
      handOver(handler, verdict === 'stale' ? 'needsRefreshHandler' : 'unauthorizedHandler', request, reply).catch(done)
      return
    }
    try {
      answer(verdict, request, reply, demand, done)
    } catch (error) {
      done(error as Error)
    }
  }

  function announce (verdict: 'anonymous' | 'stale', request: FastifyRequest): void {
    if (verdict === 'anonymous') events.emit('unauthorized', { request })
    else events.emit('needsRefresh', { request, user: area.currentUser(request).user! })
  }

  function answer (verdict: 'anonymous' | 'stale', request: FastifyRequest, reply: FastifyReply, demand: Demand, done: HookHandlerDoneFunction): void {
    // No page makes a user fresh who comes with an API key.
    const refreshUrl = area.currentUser(request).hasLogin ? demand.refreshUrl : null
    const page = verdict === 'stale' ? refreshUrl : demand.loginUrl
    const chosen = chooseAnswer(request, page, demand.redirect)
    if (chosen.kind === 'status') return done(errorFor(verdict))
    flash(request, verdict === 'stale' ? settings.refreshMessage : settings.loginMessage)
    const url = pageFor(request, chosen.url)
    if (chosen.kind === 'htmx') {
      reply.header('hx-redirect', url)
      return done(errorFor(verdict))
    }
    reply.redirect(url, statusFor(request))
  }

  /** The page with the way back, in its query or in the session. */
  function pageFor (request: FastifyRequest, page: string): string {
    const next = redirects.wayBack(request)
    if (settings.nextIn === 'query') return locationOf(redirects.withNext(page, next, request))
    area.carrier(request).next = next
    return locationOf(page)
  }

  async function throwUnlessPassed (request: FastifyRequest, reply: FastifyReply, demand: Demand): Promise<void> {
    let verdict: Exclude<Verdict, 'forbidden'> // for that there is no `allow` here
    try {
      verdict = await judge(request, demand) as typeof verdict
    } catch (error) {
      // To an error without a status @fastify/auth gives 401, which would say that nobody is logged in.
      if ((error as { statusCode?: number } | null)?.statusCode === undefined) reply.code(500)
      throw error
    }
    if (verdict === 'pass') return
    announce(verdict, request)
    throw errorFor(verdict)
  }

  const plain = demandOf({}, null)
  const fresh = demandOf({}, { maxAgeSeconds: undefined })

  return {
    guard (options = {}) {
      checkArguments('guard', options)
      return hookFor(demandOf(options, null))
    },
    guardFresh (options = {}) {
      checkArguments('guardFresh', options)
      return hookFor(demandOf(options, { maxAgeSeconds: options.maxAgeSeconds }))
    },
    guardAnonymous (options = {}) {
      checkArguments('guardAnonymous', options)
      const redirectUrl = locationOf(options.redirectUrl ?? '/')
      return (request, reply, done) => {
        if (request.method === 'OPTIONS' && isPreflightRoute(request)) return done()
        const current = area.currentUser(request)
        current.noStore = settings.noStore
        const user = current.load()
        const conclude = (user: LoginUser | null) => { user === null ? done() : reply.redirect(redirectUrl, statusFor(request)) }
        if (isPromise(user)) user.then(conclude, done)
        else conclude(user)
      }
    },
    verify: (request, reply) => throwUnlessPassed(request, reply, plain),
    verifyFresh: (request, reply) => throwUnlessPassed(request, reply, fresh)
  }
}

/** A route for OPTIONS alone, or none: the handler of `app.all()` is not for strangers. */
function isPreflightRoute (request: FastifyRequest): boolean {
  return !Array.isArray(request.routeOptions.method)
}

/** 302 lets a browser repeat the method for anything but POST (Fetch Standard, HTTP-redirect fetch, step 12). */
function statusFor (request: FastifyRequest): number {
  return FORM_METHODS.includes(request.method) ? 302 : 303
}

function errorFor (verdict: 'anonymous' | 'stale'): Error {
  return verdict === 'stale' ? new FreshRequiredError() : new UnauthorizedError()
}
