import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { createCookie, ensureCookies } from '../cookies/cookie.js'
import { InvalidOptionsError } from '../errors.js'
import { varyOnCookie } from '../http/headers.js'
import { perRequest } from '../http/per-request.js'
import type { PerRequest } from '../http/per-request.js'
import { isPromise } from '../http/promises.js'
import type { MaybePromise } from '../http/promises.js'
import type { SessionSettings } from '../options/settings.js'
import { createTokens } from '../tokens/tokens.js'
import { CookieSession } from './cookie-session.js'
import { sessionProxy } from './proxy.js'
import type { SessionCookie } from './session-token.js'

/** What a login that rides on a session adds to it. */
export interface Rider {
  /** Runs before the session's cookie is written: the login writes its own. */
  beforeCommit (request: FastifyRequest, reply: FastifyReply): MaybePromise<void>
  /** The application ended the session itself; the login in it ends too. */
  onEnd (request: FastifyRequest): void
  /** The session cookie held no valid token. */
  onInvalid: NonNullable<SessionCookie['onInvalid']>
}

/** The session of one registration, and how to get at that of a request. */
export interface AttachedSession extends PerRequest<CookieSession> {
  readonly settings: SessionSettings
  readonly cookie: SessionCookie
  /** A login rides on it from now on. */
  carry (rider: Rider): void
}

/** Decorates `request.session` and writes its cookie in onSend. */
export async function attachSession (fastify: FastifyInstance, settings: SessionSettings): Promise<AttachedSession> {
  await ensureCookies(fastify)
  const { cookieName, audience, secrets, verifiedCacheSize: cacheSize, idleSeconds, absoluteSeconds, clock } = settings
  let rider: Rider | undefined
  const cookie: SessionCookie = {
    cookie: createCookie(fastify, cookieName, settings.cookie),
    tokens: createTokens('session', { secrets, cookieName, audience, cacheSize, absoluteSeconds }),
    idleSeconds,
    absoluteSeconds,
    clock,
    onInvalid: (request, name, reason) => rider?.onInvalid(request, name, reason)
  }
  const onEnd = (request: FastifyRequest) => rider?.onEnd(request)
  const sessions = perRequest('session', (request) => new CookieSession(cookie, request, onEnd))
  decorate(fastify, sessions)

  fastify.addHook('onSend', (request, reply, _payload, done) => {
    const session = sessions.opened(request)
    if (session === undefined) return done()
    try {
      const ready = rider?.beforeCommit(request, reply)
      if (!isPromise(ready)) {
        commit(session, reply)
        return done()
      }
      ready.then(() => commit(session, reply), (error) => giveUp(session, reply, error)).then(() => done(), done)
    } catch (error) {
      done(error as Error)
    }
  })

  return { ...sessions, settings, cookie, carry: (login) => { rider = login } }
}

/** @throws FST_LOGIN_INVALID_OPTIONS where another plugin was first */
function decorate (fastify: FastifyInstance, sessions: PerRequest<CookieSession>): void {
  const proxies = perRequest<unknown>('session.proxy', (request) => sessionProxy(sessions.of(request)))
  try {
    // The setter lets a plugin in a child scope put a session of its own in the place of this one.
    fastify.decorateRequest('session', {
      getter (this: FastifyRequest) { return proxies.of(this) },
      setter (this: FastifyRequest, value: unknown) { proxies.put(this, value) }
    } as never)
  } catch (cause) {
    throw new InvalidOptionsError('request.session is taken by another plugin: register with session: \'external\' ' +
      'to use that one, or in a scope of its own', { cause })
  }
}

/** What the login had to do first failed: everything stays as it was, cookie and all. */
function giveUp (session: CookieSession, reply: FastifyReply, error: unknown): never {
  session.discard()
  varyOnCookie(reply)
  throw error
}

function commit (session: CookieSession, reply: FastifyReply): void {
  session.commit(reply)
  if (session.used) varyOnCookie(reply)
}
