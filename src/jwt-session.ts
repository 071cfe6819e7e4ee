import cookiePlugin from '@fastify/cookie'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { createCookie } from './cookies/cookie.js'
import { InvalidOptionsError } from './errors.js'
import { varyOnCookie } from './http/headers.js'
import { sessionSettings } from './options/settings.js'
import type { SessionSettings } from './options/settings.js'
import { isPromise } from './http/promises.js'
import { claimCookies, scopeOf } from './area/scope.js'
import type { AttachedSession } from './area/scope.js'
import { sessionProxy } from './session/proxy.js'
import type { SessionKit } from './session/session-token.js'
import { Session } from './session/cookie-session.js'
import { createTokens } from './tokens/tokens.js'
import type { JwtSessionOptions } from './options/options.js'

/** `request.session` in a signed cookie, without users. */
export const jwtSession = fp(async function jwtSession (fastify: FastifyInstance, options: JwtSessionOptions) {
  const settings = sessionSettings(options, fastify.log)
  const scope = scopeOf(fastify)
  if (scope.session !== undefined || scope.hasLogin) {
    throw new InvalidOptionsError('jwtSession is registered twice in one scope, or after fastifyLogin, which brings it along')
  }
  claimCookies(fastify, scope, [settings.cookieName], settings.secrets)
  scope.session = await attachSession(fastify, settings)
}, { name: 'fastify-login-session', fastify: '5.x' })

/** Registers `@fastify/cookie` where nobody has. */
export async function ensureCookies (fastify: FastifyInstance): Promise<void> {
  if (!fastify.hasReplyDecorator('setCookie')) await fastify.register(cookiePlugin)
}

/** Decorates `request.session` and writes its cookie in onSend. */
export async function attachSession (fastify: FastifyInstance, settings: SessionSettings): Promise<AttachedSession> {
  await ensureCookies(fastify)
  const { cookieName, audience, secrets, verifiedCacheSize: cacheSize, idleSeconds, absoluteSeconds, clock } = settings
  const kit: SessionKit = {
    cookie: createCookie(fastify, cookieName, settings.cookie),
    tokens: createTokens('session', { secrets, cookieName, audience, cacheSize, absoluteSeconds }),
    idleSeconds,
    absoluteSeconds,
    clock,
    onInvalid: undefined,
    onDrop: undefined
  }
  const kState = Symbol('fastify-login.session')
  const kShown = Symbol('fastify-login.session.shown')
  // Not decorated: that would cost every request a property, also those that never ask.
  type Carrying = FastifyRequest & { [kState]?: Session, [kShown]?: unknown }

  const attached: AttachedSession = {
    kit,
    settings,
    of: (request) => ((request as Carrying)[kState] ??= new Session(kit, request)),
    opened: (request) => (request as Carrying)[kState],
    beforeCommit: undefined
  }

  try {
    // The setter lets a plugin in a child scope put a session of its own in the place of this one.
    fastify.decorateRequest('session', {
      getter (this: FastifyRequest) { return ((this as Carrying)[kShown] ??= sessionProxy(attached.of(this))) },
      setter (this: FastifyRequest, value: unknown) { (this as Carrying)[kShown] = value }
    } as never)
  } catch (cause) {
    throw new InvalidOptionsError('request.session is taken by another plugin: register with session: \'external\' to use that one, or in a scope of its own', { cause })
  }

  fastify.addHook('onSend', (request, reply, _payload, done) => {
    const session = attached.opened(request)
    if (session === undefined) {
      done()
      return
    }
    try {
      const ready = attached.beforeCommit?.(request, reply)
      if (isPromise(ready)) ready.then(() => commit(session, reply)).then(() => done(), done)
      else {
        commit(session, reply)
        done()
      }
    } catch (error) {
      done(error as Error)
    }
  })

  return attached
}

function commit (session: Session, reply: FastifyReply): void {
  session.commit(reply)
  if (session.used) varyOnCookie(reply)
}
