import type { FastifyInstance, FastifyReply, FastifyRequest, LoginUser } from 'fastify'
import fp from 'fastify-plugin'
import { createArea } from './area/area.js'
import { InvalidOptionsError, StoreRequiredError, UnauthorizedError } from './errors.js'
import { createGuards } from './guards/guards.js'
import { attachSession, ensureCookies } from './jwt-session.js'
import { createLogin } from './login/login-user.js'
import { createMinting } from './login/cookies-for.js'
import { checkArguments } from './options/rules.js'
import { loginSettings } from './options/settings.js'
import type { LoginSettings } from './options/settings.js'
import { isPromise } from './http/promises.js'
import { createRedirects, locationOf } from './http/next.js'
import { claimCookies, claimExternalSession, nearestSession, scopeOf } from './area/scope.js'
import type { AttachedSession, Scope } from './area/scope.js'
import type { FastifyLoginOptions, Login, LoginUserOptions, LogoutUserOptions } from './options/options.js'

/** Login for Fastify 5. See the README. */
export const fastifyLogin = fp(async function fastifyLogin (fastify: FastifyInstance, options: FastifyLoginOptions) {
  const scope = scopeOf(fastify)
  if (scope.hasLogin) {
    throw new InvalidOptionsError('fastifyLogin is registered twice in one scope; register the second area in a scope of its own')
  }
  const ridden = sessionToRideOn(scope, options)
  const settings = loginSettings(options, { log: fastify.log, riding: ridden?.settings })
  const ownNames = settings.session === 'external' || ridden !== undefined ? [] : [settings.session.cookieName]
  claimCookies(fastify, scope, [...ownNames, settings.remember.cookieName], settings.secrets)
  if (settings.session === 'external') claimExternalSession(fastify, scope)
  scope.hasLogin = true

  const session = ridden ?? await ownSession(fastify, settings)
  const area = createArea(fastify, settings, session)
  const redirects = createRedirects({ ...settings, refreshUrl: settings.refreshUrl ?? settings.loginUrl })
  const guards = createGuards(area, redirects)
  const actions = createLogin(area, redirects)
  const { loginUser, logoutUser, confirmLogin } = actions
  const records = (call: string) => {
    if (area.records === undefined) throw new StoreRequiredError(`login.${call}()`)
    return area.records
  }

  const login: Login = {
    ...guards,
    safeNext: (value) => redirects.safeNext(value),
    loginUrlFor: (request) => settings.loginUrl === null ? null : locationOf(redirects.withNext(settings.loginUrl, redirects.wayBack(request), request)),
    cookiesFor: createMinting(area, session?.kit, actions),
    on: area.events.on,
    once: area.events.once,
    off: area.events.off,
    list: async (userId) => records('list').list(userId),
    async revoke (userId, sid) {
      const ended = await records('revoke').end(userId, sid)
      if (ended) area.events.emit('revoke', { userId, sids: [sid] })
      return ended
    },
    async revokeAll (userId, options = {}) {
      checkArguments('revokeAll', options)
      const sids = await records('revokeAll').endAll(userId, options.except ?? null)
      if (sids.length > 0) area.events.emit('revoke', { userId, sids })
      return sids.length
    }
  }

  fastify.decorate('login', login)
  fastify.decorateRequest('currentUser', {
    getter (this: FastifyRequest) { return area.currentUser(this).loaded('request.currentUser') }
  })
  fastify.decorateRequest('loginState', {
    getter (this: FastifyRequest) { return area.currentUser(this).state() }
  })
  fastify.decorateRequest('getCurrentUser', async function (this: FastifyRequest) {
    return area.currentUser(this).load()
  } as FastifyRequest['getCurrentUser'])
  fastify.decorateRequest('requireUser', function (this: FastifyRequest) {
    const user = area.currentUser(this).loaded('request.requireUser()')
    if (user === null) throw new UnauthorizedError()
    return user
  } as FastifyRequest['requireUser'])
  fastify.decorateReply('loginUser', function (this: FastifyReply, user: LoginUser, given?: LoginUserOptions) {
    return loginUser(this, user, given)
  } as FastifyReply['loginUser'])
  fastify.decorateReply('logoutUser', function (this: FastifyReply, given?: LogoutUserOptions) {
    return logoutUser(this, given)
  })
  fastify.decorateReply('confirmLogin', function (this: FastifyReply, user?: LoginUser) {
    return confirmLogin(this, user)
  })

  if (settings.eager) {
    fastify.addHook('onRequest', (request, _reply, done) => {
      // Routes of an area below have a login of their own.
      const user = request.server.login === login ? area.currentUser(request).load() : null
      if (isPromise(user)) user.then(() => done(), done)
      else done()
    })
  }
}, { name: 'fastify-login', fastify: '5.x' })

/** The `jwtSession` of this scope, or of an enclosing one where this login brings no secret of its own. */
function sessionToRideOn (scope: Scope, options: FastifyLoginOptions): AttachedSession | undefined {
  if (options.session === 'external') return undefined
  const found = nearestSession(scope)
  if (found === undefined || (options.secret !== undefined && found.owner !== scope)) return undefined
  if (found.owner.ridden) {
    throw new InvalidOptionsError('fastify-login cannot start: another login rides on this jwtSession; give this one a secret and cookie names of its own')
  }
  found.owner.ridden = true
  return found.session
}

async function ownSession (fastify: FastifyInstance, settings: LoginSettings): Promise<AttachedSession | undefined> {
  if (settings.session === 'external') {
    if (!fastify.hasRequestDecorator('session')) {
      throw new InvalidOptionsError('fastify-login cannot start: session is \'external\', but no plugin has put a request.session there; register that plugin before')
    }
    await ensureCookies(fastify)
    return undefined
  }
  return attachSession(fastify, { ...settings, ...settings.session })
}
