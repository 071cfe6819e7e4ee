import type { FastifyReply, FastifyRequest } from 'fastify'

/** The response depends on the cookie (RFC 9110, section 12.5.5); what the application named already stays. */
export function varyOnCookie (reply: FastifyReply): void {
  const vary = reply.getHeader('vary')
  if (vary === undefined) {
    reply.header('vary', 'Cookie')
    return
  }
  const fields = String(vary).split(',').map((field) => field.trim().toLowerCase())
  if (!fields.includes('*') && !fields.includes('cookie')) reply.header('vary', `${String(vary)}, Cookie`)
}

/** Whether the request asks to become a WebSocket: its response carries no cookies, as `onSend` never runs. */
export function isUpgrade (request: FastifyRequest): boolean {
  const upgrade = request.headers.upgrade
  return upgrade !== undefined && upgrade.toLowerCase() === 'websocket'
}

/**
 * Whether this is such a handshake, and not a plain request that says so: a stolen remember token must not come without
 * being replaced for the price of a header. Node tells the one from the other, `@fastify/websocket` for injected ones.
 */
export function isHandshake (request: FastifyRequest): boolean {
  const raw = request.raw as typeof request.raw & { upgrade?: boolean }
  return isUpgrade(request) && (raw.upgrade === true || (request as { ws?: unknown }).ws === true)
}

/** Whether no header can be added any more: hijacked, ended, or on the wire. */
export function headersGone (reply: FastifyReply): boolean {
  return reply.sent || reply.raw.headersSent
}
