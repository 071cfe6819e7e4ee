import { EventEmitter } from 'node:events'
import { channel } from 'node:diagnostics_channel'
import type { FastifyBaseLogger, FastifyRequest, LoginUser } from 'fastify'
import type { InvalidReason, UserId } from './tokens/claims.js'

interface UserEvent {
  request: FastifyRequest
  user: LoginUser
  userId: UserId
  sid: string
}

/** Event name to payload. No payload carries a token. */
export interface LoginEvents {
  /** `loginUser` signed somebody in. */
  login: UserEvent & { remembered: boolean }
  /** `logoutUser` ended a login; `user` is `null` where it could not be loaded. */
  logout: {
    request: FastifyRequest
    user: LoginUser | null
    userId: UserId
    sid: string
    scope: 'this' | 'others' | 'everywhere'
  }
  /** A remember cookie brought somebody back. */
  restore: UserEvent
  /** `confirmLogin` made a login fresh again. */
  confirm: UserEvent
  /** A guard met nobody. */
  unauthorized: { request: FastifyRequest }
  /** A fresh guard met a login that is not fresh. */
  needsRefresh: { request: FastifyRequest, user: LoginUser }
  /** The fingerprint changed: the login became stale (`'basic'`) or ended (`'strong'`). */
  protect: UserEvent & { mode: 'basic' | 'strong' }
  /** A remember token came a second time; the user's remembered logins have ended. */
  reuse: UserEvent
  /** Logins of the user ended on the server; `request` where one asked for it. */
  revoke: { userId: UserId, sids: string[], request?: FastifyRequest }
  /** A cookie held something that is no valid token; it is cleared. */
  invalidToken: { request: FastifyRequest, cookie: string, reason: InvalidReason }
}

type Listener<K extends keyof LoginEvents> = (payload: LoginEvents[K]) => void

export interface Events {
  on<K extends keyof LoginEvents> (event: K, listener: Listener<K>): void
  once<K extends keyof LoginEvents> (event: K, listener: Listener<K>): void
  off<K extends keyof LoginEvents> (event: K, listener: Listener<K>): void
  /** Whether anybody listens, here or on the diagnostics channel. */
  hasListeners (event: keyof LoginEvents): boolean
  emit<K extends keyof LoginEvents> (event: K, payload: LoginEvents[K]): void
}

/** Typed events, and the same facts on `node:diagnostics_channel` as `fastify-login:<event>`. */
export function createEvents (log: FastifyBaseLogger): Events {
  const emitter = new EventEmitter()
  const channelOf = (event: string) => channel(`fastify-login:${event}`)
  const failed = (event: string) => (error: unknown) =>
    log.error({ err: error, event }, 'a listener of fastify-login failed')

  return {
    on: (event, listener) => { emitter.on(event, listener) },
    once: (event, listener) => { emitter.once(event, listener) },
    off: (event, listener) => { emitter.off(event, listener) },
    hasListeners: (event) => emitter.listenerCount(event) > 0 || channelOf(event).hasSubscribers,
    emit (event, payload) {
      // One by one: a listener that throws must neither stop the others nor change what happened.
      for (const listener of emitter.rawListeners(event)) {
        try {
          Promise.resolve(listener.call(emitter, payload)).catch(failed(event))
        } catch (error) {
          failed(event)(error)
        }
      }
      const published = channelOf(event)
      if (published.hasSubscribers) published.publish(payload)
    }
  }
}
