import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction, LoginUser } from 'fastify'
import type { Area } from '../area/area.js'
import { CrossOriginError, ForbiddenError } from '../errors.js'
import { isUpgrade } from '../http/headers.js'
import { isAt, locationOf } from '../http/next.js'
import type { PerRequest } from '../http/per-request.js'
import { isPromise } from '../http/promises.js'
import type { MaybePromise } from '../http/promises.js'
import type { GuardAnonymousOptions, GuardFreshOptions, GuardOptions } from '../options/arguments.js'
import { checkArguments } from '../options/rules.js'
import type { LoginSettings } from '../options/settings.js'
import { currentUser } from '../visit/identify.js'
import type { Visit } from '../visit/visit.js'
import { demandOf } from './demand.js'
import type { Demand } from './demand.js'
import { createRefusals, redirectStatusFor } from './refuse.js'
import type { Refusal } from './refuse.js'

/** Hook for `onRequest`, `preValidation` and `preHandler`. */
export type GuardHook = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void

/** Throws instead of answering; for `@fastify/auth` and for composing. */
export type VerifyHook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

export interface Guards {
  guard (options?: GuardOptions): GuardHook
  guardFresh (options?: GuardFreshOptions): GuardHook
  guardAnonymous (options?: GuardAnonymousOptions): GuardHook
  verify: VerifyHook
  verifyFresh: VerifyHook
}

/** What a guard found. */
type Verdict = 'pass' | 'forbidden' | Refusal

export function createGuards (area: Area, visits: PerRequest<Visit>): Guards {
  const { settings } = area
  const refusals = createRefusals(area)

  function judge (visit: Visit, reply: FastifyReply, demand: Demand): MaybePromise<Verdict> {
    if (isForeignUpgrade(visit.request, settings)) throw new CrossOriginError()
    visit.reply = reply
    visit.noStore = demand.noStore
    const user = currentUser(visit)
    return isPromise(user) ? user.then((user) => weigh(visit, user, demand)) : weigh(visit, user, demand)
  }

  /** A callback hook: what does not call `done` ends the request, whatever async hooks follow and however the client leaves. */
  function hookFor (demand: Demand): GuardHook {
    return (request, reply, done) => {
      if (isExempt(request, demand)) return done()
      const visit = visits.of(request)
      let verdict: MaybePromise<Verdict>
      try {
        verdict = judge(visit, reply, demand)
      } catch (error) {
        return done(error as Error)
      }
      if (isPromise(verdict)) verdict.then((verdict) => conclude(verdict, visit, reply, demand, done), done)
      else conclude(verdict, visit, reply, demand, done)
    }
  }

  function conclude (
    verdict: Verdict, visit: Visit, reply: FastifyReply, demand: Demand, done: HookHandlerDoneFunction
  ): void {
    if (verdict === 'pass') done()
    else if (verdict === 'forbidden') done(new ForbiddenError())
    else refusals.answer(verdict, visit, reply, demand).catch(done)
  }

  function verifier (demand: Demand): VerifyHook {
    return async (request, reply) => {
      if (isExempt(request, demand)) return
      const visit = visits.of(request)
      let verdict: Exclude<Verdict, 'forbidden'> // for that there is no `allow` here
      try {
        verdict = await judge(visit, reply, demand) as typeof verdict
      } catch (error) {
        // To an error without a status @fastify/auth gives 401, which would say that nobody is logged in.
        if ((error as { statusCode?: number } | null)?.statusCode === undefined) reply.code(500)
        throw error
      }
      if (verdict !== 'pass') throw refusals.errorFor(verdict, visit)
    }
  }

  return {
    guard (options = {}) {
      checkArguments('guard', options)
      return hookFor(demandOf(area, options, null))
    },
    guardFresh (options = {}) {
      checkArguments('guardFresh', options)
      return hookFor(demandOf(area, options, { maxAgeSeconds: options.maxAgeSeconds }))
    },
    guardAnonymous (options = {}) {
      checkArguments('guardAnonymous', options)
      return anonymousGuard(area, visits, options)
    },
    verify: verifier(demandOf(area, {}, null)),
    verifyFresh: verifier(demandOf(area, {}, { maxAgeSeconds: undefined }))
  }
}

function anonymousGuard (
  { settings }: Area, visits: PerRequest<Visit>, { redirectUrl = '/' }: GuardAnonymousOptions
): GuardHook {
  const elsewhere = locationOf(redirectUrl)
  return (request, reply, done) => {
    if (isPreflight(request)) return done()
    const visit = visits.of(request)
    visit.reply = reply
    visit.noStore = settings.noStore
    const conclude = (user: LoginUser | null) => {
      if (user === null) done()
      else reply.redirect(elsewhere, redirectStatusFor(request))
    }
    const user = currentUser(visit)
    if (isPromise(user)) user.then(conclude, done)
    else conclude(user)
  }
}

/** The user first, freshness second. */
function weigh (visit: Visit, user: LoginUser | null, demand: Demand): MaybePromise<Verdict> {
  if (user === null) return 'anonymous'
  if (demand.allow === undefined) return freshness(visit, demand)
  const allowed = demand.allow(user, visit.request)
  const conclude = (allowed: boolean) => allowed ? freshness(visit, demand) : 'forbidden'
  return isPromise(allowed) ? allowed.then(conclude) : conclude(allowed)
}

function freshness (visit: Visit, { fresh, refreshPage }: Demand): Verdict {
  if (fresh === null || visit.isFresh(fresh.maxAgeSeconds)) return 'pass'
  // Under a fresh guard for a whole scope, the page that confirms a login needs the login only.
  return isAt(visit.request, refreshPage) ? 'pass' : 'stale'
}

/** What a login page answers; a guarded `DELETE /login` is something else. */
const FORM_METHODS = ['GET', 'HEAD', 'POST']

function isExempt (request: FastifyRequest, { loginPage }: Demand): boolean {
  if (isPreflight(request)) return true
  if (isAt(request, loginPage) && FORM_METHODS.includes(request.method)) return true
  return request.routeOptions.config.login?.public === true
}

/** OPTIONS where a route serves that alone, or none does: the handler of `app.all()` is not for strangers. */
function isPreflight (request: FastifyRequest): boolean {
  return request.method === 'OPTIONS' && !Array.isArray(request.routeOptions.method)
}

/** Browsers let any page open a WebSocket, with cookies (RFC 6455, section 10.2). */
function isForeignUpgrade (request: FastifyRequest, { allowedOrigins, publicOrigin }: LoginSettings): boolean {
  const { origin } = request.headers
  if (origin === undefined || !isUpgrade(request)) return false
  if (allowedOrigins.includes(origin) || origin === publicOrigin) return false
  return !URL.canParse(origin) || new URL(origin).host !== request.host
}
