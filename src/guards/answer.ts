import type { FastifyRequest } from 'fastify'
import { isUpgrade } from '../http/headers.js'

/** How a guard answers: send people to a page, tell a program, or tell htmx to go there. */
export type Answer = { kind: 'redirect' | 'htmx', url: string } | { kind: 'status' }

/** Fetch destinations a page navigates to (Fetch Standard, section 2.2.5); `empty` is fetch(), which Turbo navigates with. */
const NAVIGATIONS = ['document', 'iframe', 'frame', 'fencedframe', 'embed', 'object', 'empty']
const STATUS: Answer = { kind: 'status' }

/** Redirect or 401: an image must not become a login form, and a program cannot fill one in. */
export function chooseAnswer (
  request: FastifyRequest, url: string | null, redirect: 'auto' | 'always' | 'never'
): Answer {
  if (url === null || isUpgrade(request) || redirect === 'never') return STATUS
  if (redirect === 'always') return { kind: 'redirect', url }
  if (request.headers['hx-request'] !== undefined) return { kind: 'htmx', url }
  return wantsPage(request) ? { kind: 'redirect', url } : STATUS
}

function wantsPage ({ headers }: FastifyRequest): boolean {
  const types = acceptedTypes(headers.accept)
  if (types.some((type) => type === 'text/html' || type === 'application/xhtml+xml')) {
    const destination = headers['sec-fetch-dest']
    return destination === undefined || NAVIGATIONS.includes(String(destination))
  }
  if (headers.accept && !types.includes('*/*')) return false
  const mode = headers['sec-fetch-mode']
  return (mode === undefined || mode === 'navigate') && headers['x-requested-with'] !== 'XMLHttpRequest'
}

/** Media types the client takes at all (RFC 9110, section 12.5.1: `q=0` means not this one). */
function acceptedTypes (accept = ''): string[] {
  return accept.toLowerCase().split(',')
    .map((range) => range.split(';').map((part) => part.trim()))
    .filter(([type, ...parameters]) => type !== '' && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)))
    .map(([type]) => type!)
}
