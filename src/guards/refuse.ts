import type { FastifyReply, FastifyRequest } from 'fastify'
import { NoAnswerError } from '../errors.js'
import type { DeniedHandler, Message } from '../options/options.js'

/** Where `@fastify/flash` is registered, the login page can say why people are there. */
export function flash (request: FastifyRequest, message: Message): void {
  const text = typeof message === 'function' ? message(request) : message
  const flashing = request as { flash?: (type: string, message: string) => unknown }
  if (text === false || typeof flashing.flash !== 'function') return
  // Flash appends: somebody who never gets to the login page would fill the cookie with one message.
  const { message: pending } = (request.session as { flash?: { message?: readonly string[] } } | null | undefined)?.flash ?? {}
  if (pending?.includes(text) !== true) flashing.flash('message', text)
}

/**
 * Lets the application answer as in a handler: by sending, throwing, or returning what is to be sent. `reply.sent` turns true
 * only after async onSend hooks, so the call to `send` itself is what tells an answer from none.
 */
export async function handOver (handler: DeniedHandler, name: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
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
