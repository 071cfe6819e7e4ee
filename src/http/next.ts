import type { FastifyRequest } from 'fastify'

/** Longer targets are neither sent nor accepted: they would overflow URLs, logs and the session cookie. */
const MAX_NEXT_LENGTH = 2048
/** Only its being some origin matters: paths are resolved against it and must stay there. */
const BASE = 'http://own.invalid'

export interface RedirectSettings {
  loginUrl: string | null
  refreshUrl: string | null
  nextParam: string
  allowedOrigins: readonly string[]
  publicOrigin: string | undefined
}

/** A page of this site; `query` with its question mark, or empty. */
export interface OwnPage { path: string, query: string }

/** Builds and checks the way back. Knows no user and no cookie. */
export interface Redirects {
  /** The value as a redirect target of this site or an allowed origin, ASCII-serialised; else `null`. */
  safeNext (value: unknown): string | null
  /** Where this request wanted to go, as a safe target; `undefined` where that cannot be said. */
  wayBack (request: FastifyRequest): string | undefined
  /** `page`, with the way back in its query. */
  withNext (page: string, next: string | undefined, request: FastifyRequest): string
  /** The page, where it is ours, else `null`. */
  ownPage (page: string | null): OwnPage | null
}

export function createRedirects (settings: RedirectSettings): Redirects {
  const { loginUrl, refreshUrl, nextParam, allowedOrigins, publicOrigin } = settings
  const origins = publicOrigin === undefined ? allowedOrigins : [...allowedOrigins, publicOrigin]
  const ownPaths = [loginUrl, refreshUrl].map((page) => ownPage(page)?.path)

  /** A page that is ours. An absolute URL is that only with `publicOrigin`: the Host header is the visitor's to choose. */
  function ownPage (page: string | null): OwnPage | null {
    if (page === null) return null
    const url = new URL(page, BASE)
    return url.origin === BASE || url.origin === publicOrigin ? { path: url.pathname, query: url.search } : null
  }

  function safeNext (value: unknown): string | null {
    if (typeof value !== 'string' || value.length > MAX_NEXT_LENGTH || /[\\\p{Cc}]/u.test(value)) return null
    if (value.startsWith('/') ? value.startsWith('//') : !/^https?:\/\//i.test(value)) return null
    const url = parsed(value)
    // Dot segments can leave `//host` behind: /.//host, /x/%2e%2e//host
    if (url === null || url.pathname.startsWith('//') || url.username !== '' || url.password !== '') return null
    const own = url.origin === BASE
    if (own !== value.startsWith('/') || !(own || origins.includes(url.origin))) return null
    if ((own || url.origin === publicOrigin) && ownPaths.includes(url.pathname)) return null
    const target = own ? url.pathname + url.search + url.hash : url.href
    // Serialising makes three characters of one.
    return target.length > MAX_NEXT_LENGTH ? null : target
  }

  function ownOrigin (request: FastifyRequest): string {
    const asked = `${request.protocol}://${request.host}`
    // Host may name the default port, which an origin never does.
    return publicOrigin ?? parsed(asked)?.origin ?? asked
  }

  return {
    safeNext,
    ownPage,
    wayBack (request) {
      const safe = request.method === 'GET' || request.method === 'HEAD'
      // Another method cannot be asked for again by following a link; the page it was sent from can.
      const target = (safe ? undefined : sameOriginReferer(request, ownOrigin(request))) ?? request.originalUrl
      return safeNext(target) ?? undefined
    },
    withNext (page, next, request) {
      if (next === undefined) return page
      const absolute = !page.startsWith('/')
      const url = new URL(page, BASE)
      if (url.searchParams.has(nextParam)) url.searchParams.delete(nextParam)
      // Appended, as searchParams.set() would spell the rest anew: ?why as ?why=
      const target = absolute && next.startsWith('/') ? ownOrigin(request) + next : next
      const way = `${encodeURIComponent(nextParam)}=${encodeURIComponent(target)}`
      url.search += url.search === '' ? way : `&${way}`
      return absolute ? url.href : url.pathname + url.search + url.hash
    }
  }
}

/**
 * Whether the request asks for this very page. One whose URL has a query, `/account?tab=login` say, is only that page with its
 * query; a form may post to the path alone.
 */
export function isAt (request: FastifyRequest, page: OwnPage | null): boolean {
  const url = request.originalUrl
  if (page === null || !url.startsWith(page.path)) return false
  const query = url.slice(page.path.length)
  if (query !== '' && !query.startsWith('?')) return false
  return page.query === '' || request.method === 'POST' || query === page.query || query.startsWith(`${page.query}&`)
}

function sameOriginReferer (request: FastifyRequest, origin: string): string | undefined {
  const url = parsed(request.headers.referer ?? '')
  return url?.origin === origin ? url.pathname + url.search : undefined
}

function parsed (value: string): URL | null {
  try {
    return new URL(value, BASE)
  } catch {
    return null
  }
}

/** A target the application chose, in the characters `Location` may hold (RFC 9110, section 10.2.2). */
export function locationOf (target: string): string {
  if (/^[\x21-\x7e]*$/.test(target)) return target
  const url = new URL(target, BASE)
  return url.origin === BASE ? url.pathname + url.search + url.hash : url.href
}
