import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Area, Carrier } from '../session/session.js'
import { createCookie } from '../cookies/cookie.js'
import { CurrentUser } from '../visit/visit.js'
import { createDigests } from '../tokens/digests.js'
import { InvalidOptionsError } from '../errors.js'
import { createEvents } from '../events.js'
import { ExternalCarrier } from '../session/external-session.js'
import { varyOnCookie } from '../http/headers.js'
import type { LoginSettings } from '../options/settings.js'
import { createRecords } from '../stores/records.js'
import type { RememberKit } from '../cookies/remember-cookie.js'
import type { AttachedSession } from './scope.js'
import { createTokens } from '../tokens/tokens.js'

/** The parts of one registration, and the hooks that end a request. */
export function createArea (fastify: FastifyInstance, settings: LoginSettings, session: AttachedSession | undefined): Area {
  const kCurrentUser = Symbol('fastify-login.currentUser')
  const kReply = Symbol('fastify-login.reply')
  // Not decorated: that would cost every request a property, also those that never ask.
  type Carrying = FastifyRequest & { [kCurrentUser]?: CurrentUser, [kReply]?: FastifyReply }

  const { secrets, audience, clock } = settings
  const events = createEvents(fastify.log)
  const onInvalid: RememberKit['onInvalid'] = (request, cookie, reason) => { events.emit('invalidToken', { request, cookie, reason }) }
  const { cookieName, days, maxDays, renew } = settings.remember
  const stamps = createDigests(secrets, 'stamp')
  const fingerprints = createDigests(secrets, 'fingerprint')
  const { userStamp, fingerprint, sessionProtection } = settings

  const area: Area = {
    settings,
    events,
    remember: {
      cookie: createCookie(fastify, cookieName, settings.remember.cookie),
      // Remember cookies are read once in a while: nothing to keep verified.
      tokens: createTokens('remember', { secrets, cookieName, audience, cacheSize: 0, absoluteSeconds: Infinity }),
      days,
      maxDays,
      renew,
      clock,
      onInvalid
    },
    records: settings.store === undefined ? undefined : createRecords(settings.store, settings),
    compareStamp: (digest, user) => userStamp === undefined ? 'off' : stamps.compare(digest, text('userStamp', userStamp(user))),
    compareFingerprint: (digest, request) => sessionProtection === false ? 'off' : fingerprints.compare(digest, text('fingerprint', fingerprint(request))),
    sealed: ({ uid, sid, auth_time, fresh = false }, user, request) => ({
      uid,
      sid,
      auth_time,
      fresh,
      stamp: userStamp === undefined ? undefined : stamps.digest(text('userStamp', userStamp(user))),
      fp: sessionProtection === false ? undefined : fingerprints.digest(text('fingerprint', fingerprint(request)))
    }),
    currentUser: (request) => ((request as Carrying)[kCurrentUser] ??= new CurrentUser(area, request)),
    carrier: (request): Carrier => session === undefined ? new ExternalCarrier(request) : session.of(request),
    replyOf: (request) => (request as Carrying)[kReply] ?? null
  }

  if (settings.store !== undefined) {
    // Whether a response can still carry a new remember token is for the reply to say.
    fastify.addHook('onRequest', (request, reply, done) => {
      (request as Carrying)[kReply] = reply
      done()
    })
  }

  /** The login's part of the response, before the session's. */
  function finish (request: FastifyRequest, reply: FastifyReply): void | Promise<void> {
    const current = (request as Carrying)[kCurrentUser]
    if (current === undefined) return
    if (current.ended.length > 0 && area.records !== undefined) {
      return endRecords(current, request, reply).then(() => finish(request, reply))
    }
    current.remembering?.commit(reply)
    if (current.noStore && !reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
  }

  /** `session.delete()` cannot wait for the store, so the response does. Where that fails the login stands, cookies and all. */
  async function endRecords (current: CurrentUser, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    try {
      await area.records!.endEach(current.ended)
    } catch (error) {
      session!.of(request).discard()
      current.remember.discard()
      varyOnCookie(reply)
      throw error
    } finally {
      current.ended = []
    }
  }

  if (session === undefined) {
    fastify.addHook('onSend', async (request, reply) => {
      if ((request as Carrying)[kCurrentUser] === undefined) return
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
