import type { FastifyInstance, FastifyReply, FastifyRequest, LoginUser } from 'fastify'
import fp from 'fastify-plugin'
import { createArea } from './area/area.js'
import type { Area } from './area/area.js'
import { claimCookies, claimExternalSession, nearestSession, scopeOf } from './area/scope.js'
import type { Scope } from './area/scope.js'
import { ensureCookies } from './cookies/cookie.js'
import { InvalidOptionsError, UnauthorizedError } from './errors.js'
import type { Login } from './fastify.js'
import { createGuards } from './guards/guards.js'
import { varyOnCookie } from './http/headers.js'
import { locationOf } from './http/next.js'
import { perRequest } from './http/per-request.js'
import type { PerRequest } from './http/per-request.js'
import { isPromise } from './http/promises.js'
import { confirmLogin } from './login/confirm-login.js'
import { cookiesFor } from './login/cookies-for.js'
import { createListAndRevoke } from './login/list-and-revoke.js'
import { loginUser } from './login/login-user.js'
import { logoutUser } from './login/logout-user.js'
import { untouchedOnFailure } from './login/new-login.js'
import type { LoginUserOptions, LogoutUserOptions } from './options/arguments.js'
import type { FastifyLoginOptions } from './options/options.js'
import { loginSettings } from './options/settings.js'
import type { LoginSettings } from './options/settings.js'
import { attachSession } from './session/attached-session.js'
import type { AttachedSession } from './session/attached-session.js'
import { ExternalSession } from './session/external-session.js'
import { currentUser } from './visit/identify.js'
import { Visit } from './visit/visit.js'

/** Login for Fastify 5. See the README. */
export const fastifyLogin = fp(async function fastifyLogin (fastify: FastifyInstance, options: FastifyLoginOptions) {
  const scope = scopeOf(fastify)
  if (scope.hasLogin) {
    throw new InvalidOptionsError('fastifyLogin is registered twice in one scope; ' +
      'register the second area in a scope of its own')
  }
  const ridden = sessionToRideOn(scope, options)
  const settings = loginSettings(options, { log: fastify.log, riding: ridden?.settings })
  const ownNames = settings.session === 'external' || ridden !== undefined ? [] : [settings.session.cookieName]
  claimCookies(fastify, scope, [...ownNames, settings.remember.cookieName], settings.secrets)
  if (settings.session === 'external') claimExternalSession(fastify, scope)
  scope.hasLogin = true

  const session = ridden ?? await ownSession(fastify, settings)
  const area = createArea(fastify, settings)
  const visits = perRequest('visit', (request) =>
    new Visit(area, request, session === undefined ? new ExternalSession(request) : session.of(request)))

  fastify.decorate('login', loginOf(area, visits, session))
  decorateRequest(fastify, visits)
  decorateReply(fastify, visits)
  hook(fastify, visits, area, session)
}, { name: 'fastify-login', fastify: '5.x' })

/** The `jwtSession` of this scope, or of an enclosing one where this login brings no secret of its own. */
function sessionToRideOn (scope: Scope, options: FastifyLoginOptions): AttachedSession | undefined {
  if (options.session === 'external') return undefined
  const found = nearestSession(scope)
  if (found === undefined || (options.secret !== undefined && found.owner !== scope)) return undefined
  if (found.owner.ridden) {
    throw new InvalidOptionsError('fastify-login cannot start: another login rides on this jwtSession; ' +
      'give this one a secret and cookie names of its own')
  }
  found.owner.ridden = true
  return found.session
}

async function ownSession (fastify: FastifyInstance, { session }: LoginSettings): Promise<AttachedSession | undefined> {
  if (session !== 'external') return await attachSession(fastify, session)
  if (!fastify.hasRequestDecorator('session')) {
    throw new InvalidOptionsError('fastify-login cannot start: session is \'external\', but no plugin has put ' +
      'a request.session there; register that plugin before')
  }
  await ensureCookies(fastify)
  return undefined
}

function loginOf (area: Area, visits: PerRequest<Visit>, session: AttachedSession | undefined): Login {
  const { events, redirects, settings: { loginUrl } } = area
  return {
    ...createGuards(area, visits),
    ...createListAndRevoke(area),
    safeNext: (value) => redirects.safeNext(value),
    loginUrlFor: (request) =>
      loginUrl === null ? null : locationOf(redirects.withNext(loginUrl, redirects.wayBack(request), request)),
    cookiesFor: (user, options) => cookiesFor(area, session?.cookie, user, options),
    on: events.on,
    once: events.once,
    off: events.off
  }
}

function decorateRequest (fastify: FastifyInstance, visits: PerRequest<Visit>): void {
  fastify.decorateRequest('currentUser', {
    getter (this: FastifyRequest) { return visits.of(this).loaded('request.currentUser') }
  })
  fastify.decorateRequest('loginState', {
    getter (this: FastifyRequest) { return visits.of(this).state() }
  })
  fastify.decorateRequest('getCurrentUser', async function (this: FastifyRequest) {
    return currentUser(visits.of(this))
  } as FastifyRequest['getCurrentUser'])
  fastify.decorateRequest('requireUser', function (this: FastifyRequest) {
    const user = visits.of(this).loaded('request.requireUser()')
    if (user === null) throw new UnauthorizedError()
    return user
  } as FastifyRequest['requireUser'])
}

function decorateReply (fastify: FastifyInstance, visits: PerRequest<Visit>): void {
  /** The verbs are functions of the visit. */
  function verb<A extends unknown[], R> (act: (visit: Visit, reply: FastifyReply, ...rest: A) => Promise<R>) {
    return function (this: FastifyReply, ...rest: A): Promise<R> {
      const visit = visits.of(this.request)
      visit.reply = this
      return untouchedOnFailure(visit, () => act(visit, this, ...rest))
    }
  }
  // Typed as resolving to nothing: it resolves to a reply, which is thenable.
  const signIn = verb<[LoginUser, LoginUserOptions?], unknown>(loginUser) as FastifyReply['loginUser']
  fastify.decorateReply('loginUser', signIn)
  fastify.decorateReply('logoutUser', verb<[LogoutUserOptions?], void>(logoutUser))
  fastify.decorateReply('confirmLogin', verb<[LoginUser?], void>(confirmLogin))
}

function hook (
  fastify: FastifyInstance, visits: PerRequest<Visit>, area: Area, session: AttachedSession | undefined
): void {
  const { remember, settings } = area
  if (area.records !== undefined) {
    // Whether a response can still carry the next single-use token is for the reply to say.
    fastify.addHook('onRequest', (request, reply, done) => {
      if (remember.cookie.read(request) !== undefined) visits.of(request).reply = reply
      done()
    })
  }
  if (settings.eager) {
    const { login } = fastify
    fastify.addHook('onRequest', (request, _reply, done) => {
      // Routes of an area below have a login of their own.
      const user = request.server.login === login ? currentUser(visits.of(request)) : null
      if (isPromise(user)) user.then(() => done(), done)
      else done()
    })
  }
  if (session !== undefined) {
    session.carry({
      beforeCommit: (request, reply) => visits.opened(request)?.commit(reply),
      onInvalid: (request, cookie, reason) => area.events.emit('invalidToken', { request, cookie, reason }),
      onEnd: (request) => visits.of(request).sessionEnded()
    })
    return
  }
  fastify.addHook('onSend', async (request, reply) => {
    const visit = visits.opened(request)
    if (visit === undefined) return
    await visit.commit(reply)
    varyOnCookie(reply)
  })
}
