import type { FastifyReply, FastifyRequest, LoginUser } from 'fastify'
import type { MaybePromise } from '../http/promises.js'
import type { LoginStore } from '../stores/store.js'
import type { UserId } from '../tokens/claims.js'

/** One secret (32 bytes or more), or a list: the first signs, all verify. */
export type Secret = string | Buffer | ReadonlyArray<string | Buffer>

/** Attributes of a cookie (RFC 6265bis, section 4.1.2). Lifetimes are not among them: the package derives those. */
export interface CookieAttributes {
  /** Hosts that get the cookie; left out: only the host that set it. */
  domain?: string | undefined
  /** Path below which the cookie is sent. @default '/' */
  path?: string | undefined
  /** Hides the cookie from scripts. @default true */
  httpOnly?: boolean | undefined
  /** When a request from another site carries the cookie. `'none'` needs `secure: true`. @default 'lax' */
  sameSite?: 'strict' | 'lax' | 'none' | undefined
  /** Only over TLS; `'auto'` follows `request.protocol`. @default true where NODE_ENV is production, else 'auto' */
  secure?: boolean | 'auto' | undefined
  /** One jar per top-level site (CHIPS); needs `secure: true`. @default false */
  partitioned?: boolean | undefined
  /** Which cookies a full jar of Chromium drops first. */
  priority?: 'low' | 'medium' | 'high' | undefined
}

/** What `request.session.options()` takes: attributes, and a lifetime for this one response. */
export interface SessionCookieOptions extends CookieAttributes {
  /** Seconds until the browser forgets the cookie; the server's own limits stay. */
  maxAge?: number | undefined
  /** Date at which the browser forgets the cookie; the server's own limits stay. */
  expires?: Date | undefined
}

/** Options of `jwtSession`, the session without users. */
export interface JwtSessionOptions {
  /**
   * 32 bytes or more, or a list for rotation: the first signs, all verify. There is no default, ever.
   * @throws FST_LOGIN_INVALID_OPTIONS, FST_LOGIN_SECRET_TOO_SHORT
   */
  secret: Secret
  /** Put into `aud` and required there (RFC 7519, section 4.1.3): applications with one secret stay apart. */
  audience?: string | undefined
  /** Name of the cookie. @default 'session' */
  cookieName?: string | undefined
  /** Attributes of the cookie. */
  cookie?: CookieAttributes | undefined
  /** Seconds without a request after which the session ends; extended while in use. Must be > 0. @default 86400 */
  idleSeconds?: number | undefined
  /** Seconds after which the session ends however busy it is. Must be > 0. @default 2592000 */
  absoluteSeconds?: number | undefined
  /**
   * Verified tokens kept in memory, each from about its second request on; the least recently used leave first.
   * `0` turns it off. @default 10000
   */
  verifiedCacheSize?: number | undefined
  /** Milliseconds since 1970; for tests. @default Date.now */
  clock?: (() => number) | undefined
}

/** The session inside `fastifyLogin`. */
export interface LoginSessionOptions {
  /** Name of the session cookie. @default 'session' */
  cookieName?: string | undefined
  /** Attributes of the session cookie, over those in `cookie`. */
  cookie?: CookieAttributes | undefined
  /** Seconds without a request after which the session ends. @default 86400 */
  idleSeconds?: number | undefined
  /** Seconds after which the session ends however busy it is. @default 2592000 */
  absoluteSeconds?: number | undefined
  /** Session keys that survive `loginUser`. @default [] */
  keepOnLogin?: readonly string[] | undefined
  /** Session keys that survive `logoutUser`. @default [] */
  keepOnLogout?: readonly string[] | undefined
}

/** Remember-me. */
export interface RememberOptions {
  /** Name of the remember cookie. @default '_remember' */
  cookieName?: string | undefined
  /** Attributes of the remember cookie, over those in `cookie`. */
  cookie?: CookieAttributes | undefined
  /** Days that `remember: true` stands for, 1–400 (browsers keep no cookie longer). @default 30 */
  days?: number | undefined
  /** Whether a restore gives the cookie its full lifetime again. @default true */
  renew?: boolean | undefined
  /** Days after the login at which renewal stops; never less than the days chosen. @default 90 */
  maxDays?: number | undefined
}

/** Options of `fastifyLogin`. Objects given here are copied, never written to. */
export interface FastifyLoginOptions {
  /** See {@link JwtSessionOptions.secret}. Not needed where `jwtSession` is registered already. */
  secret?: Secret | undefined
  /**
   * The user for this id, or `null`/`undefined` if there is none any more. Runs at most once per request; throwing means
   * "cannot tell". It must not wait for the user of its own request, who is not known before it answers.
   * @throws FST_LOGIN_USER_NOT_LOADED to the loader that calls `request.getCurrentUser()`
   * @example
   * userLoader: (id) => db.users.findById(id)
   */
  userLoader?: ((id: UserId, request: FastifyRequest) => MaybePromise<LoginUser | null | undefined>) | undefined
  /**
   * A user from something else in the request (API key, bearer token); asked last, touches no cookie.
   * @example
   * requestLoader: (request) => db.users.findByApiKey(request.headers['x-api-key'])
   */
  requestLoader?: ((request: FastifyRequest) => MaybePromise<LoginUser | null | undefined>) | undefined
  /** Where guards send people; may carry a query, may be absolute; `null`: always answer 401. @default '/login' */
  loginUrl?: string | null | undefined
  /** Where the fresh guard sends people whose login is not fresh. @default loginUrl */
  refreshUrl?: string | null | undefined
  /** Name of the query parameter that carries the way back. @default 'next' */
  nextParam?: string | undefined
  /** `'session'` keeps the way back in the session instead of the URL, for one `loginUser`. @default 'query' */
  nextIn?: 'query' | 'session' | undefined
  /** Other origins `next` may name, as absolute URLs. @default [] */
  allowedOrigins?: readonly string[] | undefined
  /** Own origin, used when `loginUrl` is absolute and `next` therefore must be too. @default from the request */
  publicOrigin?: string | undefined
  /** Replaces the guard's answer to anonymous requests; answers as a Fastify handler does. */
  unauthorizedHandler?: DeniedHandler | undefined
  /** Replaces the fresh guard's answer to logins that are not fresh. */
  needsRefreshHandler?: DeniedHandler | undefined
  /** Flashed as `message` when a guard redirects to the login page, if `@fastify/flash` is there. @default false */
  loginMessage?: Message | undefined
  /** Flashed as `message` when a guard asks for a fresh login. @default false */
  refreshMessage?: Message | undefined
  /** See {@link JwtSessionOptions.audience}. */
  audience?: string | undefined
  /** Attributes of both cookies. */
  cookie?: CookieAttributes | undefined
  /** The session cookie, or `'external'`: login state lives in the `request.session` another plugin has put there. */
  session?: LoginSessionOptions | 'external' | undefined
  /** The remember cookie. */
  remember?: RememberOptions | undefined
  /** `'eager'` loads the user in `onRequest` for every route. @default 'lazy' */
  loadUser?: 'lazy' | 'eager' | undefined
  /**
   * A string (say the password hash) whose change ends the sessions and remember cookies issued before it.
   * @example
   * userStamp: (user) => user.passwordHash
   */
  userStamp?: ((user: LoginUser) => string) | undefined
  /** What a changed fingerprint does: `'basic'` makes the login stale, `'strong'` ends it. @default false */
  sessionProtection?: false | 'basic' | 'strong' | undefined
  /** What `sessionProtection` compares; kept as a keyed digest. @default the User-Agent */
  fingerprint?: ((request: FastifyRequest) => string) | undefined
  /** `Cache-Control: no-store` on guarded responses, unless the route set one. @default true */
  noStore?: boolean | undefined
  /** Server-side login records: `memoryStore()`, `redisStore(client)`, `sqlStore(…)` or your own. */
  store?: LoginStore | undefined
  /**
   * Seconds a positive answer of the store may be reused in this process; a login ended elsewhere lives that much longer
   * here. @default 0
   */
  storeCheckSeconds?: number | undefined
  /** Seconds during which the previous remember token still restores without a new one. @default 60 */
  rememberGraceSeconds?: number | undefined
  /** Logins a user may have at once; the oldest ends when one more begins. Needs `store`. @default no limit */
  maxLogins?: number | undefined
  /** See {@link JwtSessionOptions.verifiedCacheSize}. */
  verifiedCacheSize?: number | undefined
  /** See {@link JwtSessionOptions.clock}. */
  clock?: (() => number) | undefined
}

/** A fixed text, a text per request, or none. */
export type Message = string | false | ((request: FastifyRequest) => string)

/** Answers like a Fastify handler: sends, redirects, throws, or returns what is to be sent. */
export type DeniedHandler = (request: FastifyRequest, reply: FastifyReply) => unknown
