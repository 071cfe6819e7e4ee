import cookiePlugin from '@fastify/cookie'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { CookieTooLargeError } from '../errors.js'
import type { FullCookieAttributes } from '../options/cookie-attributes.js'
import type { SessionCookieOptions } from '../options/options.js'

/** What a browser must at least keep of name, value and attributes (RFC 6265, section 6.1); more may be dropped silently. */
const MAX_COOKIE_BYTES = 4096

/** One cookie: the only place where it is read, set and cleared. */
export interface Cookie {
  readonly name: string
  /** What the browser sent; the first where there are several. */
  read (request: FastifyRequest): string | undefined
  set (reply: FastifyReply, value: string, options?: SessionCookieOptions): void
  /** Clears with the attributes of setting, or browsers would keep it. */
  clear (reply: FastifyReply, options?: SessionCookieOptions): void
  /** Bytes of the whole header line with a value of that many characters, none of which needs escaping. */
  size (request: FastifyRequest, valueLength: number, options?: SessionCookieOptions): number
}

/** Registers `@fastify/cookie` where nobody has. */
export async function ensureCookies (fastify: FastifyInstance): Promise<void> {
  if (!fastify.hasReplyDecorator('setCookie')) await fastify.register(cookiePlugin)
}

/** @throws FST_LOGIN_COOKIE_TOO_LARGE, naming the largest of these session values */
export function assertSize ({ name }: Cookie, size: number, values: object = {}): void {
  if (size <= MAX_COOKIE_BYTES) return
  const excess = `${size} bytes and browsers drop what is over ${MAX_COOKIE_BYTES}`
  throw new CookieTooLargeError(name, excess, largestKeys(values))
}

/** Applications that have been told once about cookies that browsers drop. */
const warned = new WeakSet<object>()

export function createCookie (fastify: FastifyInstance, name: string, attributes: FullCookieAttributes): Cookie {
  /** All there is: `parseOptions` of `@fastify/cookie` reach `setCookie()`, which is not used here. */
  function explicit (request: FastifyRequest, options: SessionCookieOptions) {
    const given = options.secure ?? attributes.secure
    const secure = given === 'auto' ? request.protocol === 'https' : given === true
    // Spreading two objects into one takes V8 ten times as long.
    return Object.assign({}, attributes, options, { secure })
  }

  function write (reply: FastifyReply, value: string, options: SessionCookieOptions): void {
    const all = explicit(reply.request, options)
    if (all.secure && reply.request.protocol !== 'https' && !warned.has(fastify.server)) {
      warned.add(fastify.server)
      reply.log.warn({ cookie: name }, 'a Secure cookie goes out over plain http and browsers may drop it. ' +
        'Behind a TLS proxy set trustProxy; without TLS set cookie.secure to "auto"')
    }
    putCookie(reply, name, fastify.serializeCookie(name, value, all as object))
  }

  return {
    name,
    read (request) {
      // Null where @fastify/cookie parses in a later hook, or not at all.
      const cookies = request.cookies ?? fastify.parseCookie(request.headers.cookie ?? '')
      return (cookies as Record<string, string | undefined>)[name]
    },
    set: (reply, value, options = {}) => write(reply, value, options),
    clear: (reply, options = {}) => write(reply, '', { ...options, maxAge: 0, expires: new Date(0) }),
    size (request, valueLength, options = {}) {
      return Buffer.byteLength(fastify.serializeCookie(name, '', explicit(request, options) as object)) + valueLength
    }
  }
}

/**
 * When a later onSend hook throws, the chain runs again over the same headers: still one Set-Cookie per name. `setCookie()`
 * would lose cookies here: where nothing was parsed before, `@fastify/cookie` does not know that its onSend hook is over.
 */
function putCookie (reply: FastifyReply, name: string, line: string): void {
  const header = reply.getHeader('set-cookie') as string | string[] | undefined
  const others = [header ?? []].flat().filter((other) => !other.startsWith(`${name}=`))
  reply.removeHeader('set-cookie')
  reply.header('set-cookie', others.length > 0 ? [...others, line] : line)
}

function largestKeys (values: object): string {
  const bytes = (value: unknown) => JSON.stringify(value)?.length ?? 0
  const ranked = Object.entries(values).sort(([, a], [, b]) => bytes(b) - bytes(a)).slice(0, 3)
  return ranked.map(([key, value]) => `${key} (${bytes(value)})`).join(', ') || 'none'
}
