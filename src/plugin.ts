import type { FastifyInstance, FastifyReply, FastifyRequest, LoginUser } from 'fastify'
import fp from 'fastify-plugin'
import type { Area, Carrier, Comparison } from './area.js'
import { createCookie } from './cookies.js'
import { CurrentUser } from './current-user.js'
import { createDigests } from './digests.js'
import { InvalidOptionsError, StoreRequiredError, UnauthorizedError } from './errors.js'
import { createEvents } from './events.js'
import { ExternalCarrier } from './external.js'
import { createGuards } from './guards.js'
import { varyOnCookie } from './headers.js'
import { attachSession, ensureCookies } from './jwt-session.js'
import { createLogin } from './login.js'
import { createMinting } from './minting.js'
import { loginSettings } from './options.js'
import type { LoginSettings } from './options.js'
import { isPromise } from './promises.js'
import { createRecords } from './records.js'
import { createRedirects, locationOf } from './redirects.js'
import type { RememberKit } from './remember.js'
import { claimCookies, nearestSession, scopeOf } from './scope.js'
import type { AttachedSession, Scope } from './scope.js'
import { createTokens } from './tokens.js'
import type { FastifyLoginOptions, Login, LoginUserOptions, LogoutUserOptions } from './types.js'

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
  scope.hasLogin = true

  await ensureCookies(fastify)
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
    async revokeAll (userId, { except } = {}) {
      const sids = await records('revokeAll').endAll(userId, except ?? null)
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
      const user = area.currentUser(request).load()
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
    return undefined
  }
  return attachSession(fastify, { ...settings, ...settings.session })
}

/** The parts of one registration, and the hooks that end a request. */
function createArea (fastify: FastifyInstance, settings: LoginSettings, session: AttachedSession | undefined): Area {
  const kCurrentUser = Symbol('fastify-login.currentUser')
  const kReply = Symbol('fastify-login.reply')
  type Carrying = FastifyRequest & { [kCurrentUser]: CurrentUser | null, [kReply]?: FastifyReply | null }

  const { secrets, audience, clock } = settings
  const events = createEvents(fastify.log)
  const onInvalid: RememberKit['onInvalid'] = (request, cookie, reason) => {
    request.log.debug({ cookie, reason }, 'a cookie held no valid token and is cleared')
    events.emit('invalidToken', { request, cookie, reason })
  }
  const { cookieName, days, maxDays, renew } = settings.remember
  const stamps = createDigests(secrets, 'stamp')
  const fingerprints = createDigests(secrets, 'fingerprint')
  const { userStamp, fingerprint, sessionProtection } = settings

  const area: Area = {
    settings,
    log: fastify.log,
    events,
    remember: {
      cookie: createCookie(fastify, cookieName, settings.remember.cookie),
      // Remember cookies are read once in a while: nothing to keep verified.
      tokens: createTokens('remember', { secrets, cookieName, audience, cacheSize: 0, clock }),
      days,
      maxDays,
      renew,
      clock,
      onInvalid
    },
    records: settings.store === undefined ? undefined : createRecords(settings.store, settings),
    stamps: {
      of: (user) => userStamp === undefined ? undefined : stamps.digest(text('userStamp', userStamp(user))),
      compare: (digest, user): Comparison => userStamp === undefined ? 'off' : stamps.compare(digest, text('userStamp', userStamp(user)))
    },
    fingerprints: {
      of: (request) => sessionProtection === false ? undefined : fingerprints.digest(text('fingerprint', fingerprint(request))),
      compare: (digest, request): Comparison => sessionProtection === false ? 'off' : fingerprints.compare(digest, text('fingerprint', fingerprint(request)))
    },
    currentUser: (request) => ((request as Carrying)[kCurrentUser] ??= new CurrentUser(area, request)),
    carrier: (request): Carrier => session === undefined ? new ExternalCarrier(request) : session.of(request),
    replyOf: (request) => (request as Carrying)[kReply] ?? null
  }

  fastify.decorateRequest(kCurrentUser, null)
  if (settings.store !== undefined) {
    // Whether a response can still carry a new remember token is for the reply to say.
    fastify.decorateRequest(kReply, null)
    fastify.addHook('onRequest', (request, reply, done) => {
      (request as Carrying)[kReply] = reply
      done()
    })
  }

  /** The login's part of the response, before the session's. */
  function finish (request: FastifyRequest, reply: FastifyReply): void | Promise<void> {
    // Undefined outside this scope, where requests may use the session this login rides on.
    const current = (request as Carrying)[kCurrentUser] as CurrentUser | null | undefined
    if (current === null || current === undefined) return
    if (current.ended.length > 0 && area.records !== undefined) {
      return endRecords(current, request).then(() => finish(request, reply))
    }
    current.remembering?.commit(reply)
    if (current.noStore && !reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
  }

  /** `session.delete()` cannot wait for the store, so the response does. Where that fails the login stands, cookies and all. */
  async function endRecords (current: CurrentUser, request: FastifyRequest): Promise<void> {
    try {
      for (const { userId, sid } of current.ended) await area.records!.end(userId, sid)
    } catch (error) {
      session!.of(request).discard()
      current.remember.discard()
      throw error
    } finally {
      current.ended = []
    }
  }

  if (session === undefined) {
    fastify.addHook('onSend', async (request, reply) => {
      if ((request as Carrying)[kCurrentUser] === null) return
      await finish(request, reply)
      varyOnCookie(reply)
    })
  } else {
    session.beforeCommit = finish
    session.kit.onInvalid = onInvalid
    session.kit.onDrop = (request) => area.currentUser(request).dropped()
  }
  return area
}

/** @throws FST_LOGIN_INVALID_OPTIONS: with an answer that is no string nothing can be told */
function text (option: string, value: unknown): string {
  if (typeof value === 'string') return value
  throw new InvalidOptionsError(`${option} must return a string, got ${value === null ? 'null' : typeof value}`)
}
