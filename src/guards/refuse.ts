import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Area } from '../area/area.js'
import { FreshRequiredError, NoAnswerError, UnauthorizedError } from '../errors.js'
import { locationOf } from '../http/next.js'
import type { DeniedHandler, Message } from '../options/options.js'
import type { Visit } from '../visit/visit.js'
import { chooseAnswer } from './answer.js'
import type { Demand } from './demand.js'

/** Why somebody does not pass, and could: by signing in, or by doing so again. */
export type Refusal = 'anonymous' | 'stale'

/** What those are told who do not pass. */
export interface Refusals {
  /** Own handler, redirect, htmx or status; what it throws is for the application's error handler. */
  answer (refusal: Refusal, visit: Visit, reply: FastifyReply, demand: Demand): Promise<void>
  /** The same as an error, for those who compose. */
  errorFor (refusal: Refusal, visit: Visit): Error
}

export function createRefusals ({ settings, events, redirects }: Area): Refusals {
  const ways = {
    anonymous: {
      handler: settings.unauthorizedHandler,
      handlerName: 'unauthorizedHandler',
      message: settings.loginMessage,
      error: () => new UnauthorizedError(),
      announce: ({ request }: Visit) => events.emit('unauthorized', { request }),
      page: (_visit: Visit, { loginUrl }: Demand) => loginUrl
    },
    stale: {
      handler: settings.needsRefreshHandler,
      handlerName: 'needsRefreshHandler',
      message: settings.refreshMessage,
      error: () => new FreshRequiredError(),
      announce: ({ request, user }: Visit) => events.emit('needsRefresh', { request, user: user! }),
      // No page makes a user fresh who comes with an API key.
      page: ({ login }: Visit, { refreshUrl }: Demand) => login === null ? null : refreshUrl
    }
  }

  /** The page with the way back, in its query or in the session. */
  function withWayBack ({ request, session }: Visit, page: string): string {
    const next = redirects.wayBack(request)
    if (settings.nextIn === 'query') return locationOf(redirects.withNext(page, next, request))
    session.next = next
    return locationOf(page)
  }

  return {
    errorFor (refusal, visit) {
      ways[refusal].announce(visit)
      return ways[refusal].error()
    },
    async answer (refusal, visit, reply, demand) {
      const { request } = visit
      const way = ways[refusal]
      way.announce(visit)
      if (way.handler !== undefined) return await handOver(way.handler, way.handlerName, request, reply)
      const answer = chooseAnswer(request, way.page(visit, demand), demand.redirect)
      if (answer.kind === 'status') throw way.error()
      flash(request, way.message)
      const url = withWayBack(visit, answer.url)
      if (answer.kind === 'htmx') {
        reply.header('hx-redirect', url)
        throw way.error()
      }
      reply.redirect(url, redirectStatusFor(request))
    }
  }
}

/** 302 lets a browser repeat the method for anything but POST (Fetch Standard, HTTP-redirect fetch, step 12). */
export function redirectStatusFor ({ method }: FastifyRequest): number {
  return method === 'GET' || method === 'HEAD' || method === 'POST' ? 302 : 303
}

/** Where `@fastify/flash` is registered, the login page can say why people are there. */
function flash (request: FastifyRequest, message: Message): void {
  const text = typeof message === 'function' ? message(request) : message
  const flashing = request as { flash?: (type: string, message: string) => unknown }
  if (text === false || typeof flashing.flash !== 'function') return
  // Flash appends: somebody who never gets to the login page would fill the cookie with one message.
  const session = request.session as { flash?: { message?: readonly string[] } } | null | undefined
  const pending = session?.flash?.message
  if (pending?.includes(text) !== true) flashing.flash('message', text)
}

/**
 * Lets the application answer as in a handler: by sending, throwing, or returning what is to be sent. `reply.sent` turns true
 * only after async onSend hooks, so the call to `send` itself is what tells an answer from none.
 */
async function handOver (
  handler: DeniedHandler, name: string, request: FastifyRequest, reply: FastifyReply
): Promise<void> {
  let answered = false
  const { send } = reply
  reply.send = function (payload) {
    answered = true
    reply.send = send
    return send.call(reply, payload)
  }
  const returned = await handler(request, reply)
  if (answered || reply.sent) return
  reply.send = send
  if (returned === undefined) throw new NoAnswerError(name)
  reply.send(returned)
}
