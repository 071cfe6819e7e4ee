import type {} from '@fastify/cookie'
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction, LoginSessionData, LoginUser } from 'fastify'
import type { LoginEvents } from '../events.js'
import type { LoginRecord, LoginStore } from '../stores/store.js'

export type { LoginSessionData, LoginUser }

/** A value, or a promise of it. Synchronous answers cost no promise. */
export type MaybePromise<T> = T | Promise<T>

/** What identifies a user: comes back to `userLoader` with the type it had. `0` is fine, `''` is refused. */
export type UserId = string | number

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
  /** Verified tokens kept in memory, each from about its second request on; the least recently used leave first. `0` turns it off. @default 10000 */
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
  /** The user for this id, or `null`/`undefined` if there is none any more. Runs at most once per request; throwing means "cannot tell". */
  userLoader?: ((id: UserId, request: FastifyRequest) => MaybePromise<LoginUser | null | undefined>) | undefined
  /** A user from something else in the request (API key, bearer token); asked last, touches no cookie. */
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
  /** A string (say the password hash) whose change ends the sessions and remember cookies issued before it. */
  userStamp?: ((user: LoginUser) => string) | undefined
  /** What a changed fingerprint does: `'basic'` makes the login stale, `'strong'` ends it. @default false */
  sessionProtection?: false | 'basic' | 'strong' | undefined
  /** What `sessionProtection` compares; kept as a keyed digest. @default the User-Agent */
  fingerprint?: ((request: FastifyRequest) => string) | undefined
  /** `Cache-Control: no-store` on guarded responses, unless the route set one. @default true */
  noStore?: boolean | undefined
  /** Server-side login records: `memoryStore()`, `redisStore(client)`, `sqlStore(…)` or your own. */
  store?: LoginStore | undefined
  /** Seconds a positive answer of the store may be reused in this process; a login ended elsewhere lives that much longer here. @default 0 */
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

/** What is known of the user once loaded. `authTime` in seconds since 1970. */
export type LoginState =
  | { kind: 'anonymous' }
  | { kind: 'request' }
  | {
    kind: 'fresh' | 'stale'
    /** The login's id. */
    sid: string
    userId: UserId
    /** When the user last proved who they are, seconds since 1970 (OpenID Connect `auth_time`). */
    authTime: number
    /** A valid remember cookie of this user came with the request or goes out with its response. */
    remembered: boolean
  }

/** Hook for `onRequest`, `preValidation` and `preHandler`. */
export type GuardHook = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void

/** Throws instead of answering; for `@fastify/auth` and for composing. */
export type VerifyHook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** Options of `guard()`. */
export interface GuardOptions {
  /** Login page for this guard. @default the plugin's loginUrl */
  loginUrl?: string | null | undefined
  /** Whether this user may pass; a falsy answer is a 403. */
  allow?: ((user: LoginUser, request: FastifyRequest) => MaybePromise<boolean>) | undefined
  /** @default the plugin's noStore */
  noStore?: boolean | undefined
  /** `'auto'` asks the request's headers, `'always'` redirects, `'never'` answers 401. @default 'auto' */
  redirect?: 'auto' | 'always' | 'never' | undefined
}

/** Options of `guardFresh()`. */
export interface GuardFreshOptions extends GuardOptions {
  /** Seconds since the user last proved who they are; left out: the whole session. */
  maxAgeSeconds?: number | undefined
  /** Page that confirms a login. @default the plugin's refreshUrl */
  refreshUrl?: string | null | undefined
}

/** Options of `guardAnonymous()`. */
export interface GuardAnonymousOptions {
  /** Where people who are logged in already are sent. @default '/' */
  redirectUrl?: string | undefined
}

/** Options of `reply.loginUser()`. */
export interface LoginUserOptions {
  /** `true`: the configured days; a number: that many days, 1–400. @default false */
  remember?: boolean | number | undefined
  /** Where to go where no `next` is given; trusted. `false`: no redirect. @default '/' */
  redirectUrl?: string | false | undefined
  /** Untrusted target from a form or JSON body; wins over the query, and hides it even when refused. */
  next?: unknown
  /** Whether the login counts as fresh. @default true */
  fresh?: boolean | undefined
  /** Log in inactive users too. @default false */
  force?: boolean | undefined
  /** @default 302 */
  redirectStatus?: 301 | 302 | 303 | 307 | 308 | undefined
}

/** Options of `reply.logoutUser()`. */
export interface LogoutUserOptions {
  /** `'others'` and `'everywhere'` need a `store`. @default 'this' */
  scope?: 'this' | 'others' | 'everywhere' | undefined
}

/** Options of `login.cookiesFor()`. */
export interface CookiesForOptions {
  /** @default true */
  fresh?: boolean | undefined
  /** `true`: the configured days; a number: that many. @default false */
  remember?: boolean | number | undefined
  /** Seconds since 1970. @default now */
  authTime?: number | undefined
  /** Session values. */
  data?: { readonly [key: string]: unknown } | undefined
  /** Request headers that feed the fingerprint. @default inject's own User-Agent */
  headers?: { readonly [name: string]: string } | undefined
}

/** `fastify.login` */
export interface Login {
  /** Lets logged-in users through; others are redirected or answered 401. */
  guard (options?: GuardOptions): GuardHook
  /** Lets users through who proved who they are in this session. */
  guardFresh (options?: GuardFreshOptions): GuardHook
  /** Sends logged-in users away, say from the login page. */
  guardAnonymous (options?: GuardAnonymousOptions): GuardHook
  /** The check of `guard()`, throwing `FST_LOGIN_UNAUTHORIZED`. */
  verify: VerifyHook
  /** The check of `guardFresh()`, throwing `FST_LOGIN_UNAUTHORIZED` or `FST_LOGIN_FRESH_REQUIRED`. */
  verifyFresh: VerifyHook
  /** The value as a redirect target that stays on this site (or an allowed origin), or `null`. */
  safeNext (value: unknown, request?: FastifyRequest): string | null
  /** The login page with the way back to this request; `null` where `loginUrl` is. */
  loginUrlFor (request: FastifyRequest): string | null
  /** Cookies as production would set them, `{ name: value }`, for `inject` and browsers in tests. */
  cookiesFor (user: LoginUser, options?: CookiesForOptions): Promise<Record<string, string>>
  /** Calls `listener` at each such event. */
  on<K extends keyof LoginEvents> (event: K, listener: (payload: LoginEvents[K]) => void): void
  /** Calls `listener` at the next such event. */
  once<K extends keyof LoginEvents> (event: K, listener: (payload: LoginEvents[K]) => void): void
  /** Stops calling `listener`. */
  off<K extends keyof LoginEvents> (event: K, listener: (payload: LoginEvents[K]) => void): void
  /** The user's logins, most recently seen first. @throws FST_LOGIN_STORE_REQUIRED */
  list (userId: UserId): Promise<LoginRecord[]>
  /** Ends one login; whether there was one. @throws FST_LOGIN_STORE_REQUIRED */
  revoke (userId: UserId, sid: string): Promise<boolean>
  /** Ends all logins of the user but `except` (a sid); how many. @throws FST_LOGIN_STORE_REQUIRED */
  revokeAll (userId: UserId, options?: { except?: string | undefined }): Promise<number>
}

type SessionValue<K> = K extends keyof LoginSessionData ? LoginSessionData[K] : unknown

/** `request.session`, besides its property style. Login state is not among its keys. */
export interface LoginSession {
  /** The value, or `undefined`. Changes in place are saved too. */
  get<K extends string> (key: K): SessionValue<K> | undefined
  /** Stores what JSON can carry; `undefined` removes. A cookie over 4096 bytes is FST_LOGIN_COOKIE_TOO_LARGE at the response. */
  set<K extends string> (key: K, value: SessionValue<K> | undefined): void
  /** Whether there is such a value. */
  has (key: string): boolean
  /** Removes the value. */
  unset (key: string): void
  /** All values, as a plain object. */
  data (): Partial<LoginSessionData> & Record<string, unknown>
  /** Ends everything this browser has: values, login, remember cookie. `set` after it starts anew. */
  delete (): void
  /** A new session with the values named in `keep`; ends the login too, and clears the remember cookie. */
  regenerate (keep?: readonly string[]): void
  /** Renews the cookie with this response, due or not. */
  touch (): void
  /** Attributes for what this response sets. */
  options (options: SessionCookieOptions): void
  /** Whether this response will write the cookie because something in the session changed. */
  readonly changed: boolean
  /** Whether the session was deleted, and nothing set since. */
  readonly deleted: boolean
}

declare module 'fastify' {
  /** Your user. Augment it: `declare module 'fastify' { interface LoginUser { id: number, name: string } }` */
  interface LoginUser {}
  /** Your session values. Augment it: `declare module 'fastify' { interface LoginSessionData { cart: string[] } }` */
  interface LoginSessionData {}

  interface FastifyInstance {
    login: Login
  }

  interface FastifyRequest {
    session: LoginSession & Partial<LoginSessionData>
    /** The user or `null` once loaded. @throws FST_LOGIN_USER_NOT_LOADED where somebody may be there, but was not loaded */
    readonly currentUser: LoginUser | null
    /** @throws FST_LOGIN_USER_NOT_LOADED */
    readonly loginState: LoginState
    /** The user or `null`; loads at most once per request. */
    getCurrentUser (): Promise<LoginUser | null>
    /** In an area whose users are of another type. */
    getCurrentUser<T extends object> (): Promise<T | null>
    /** The user. @throws FST_LOGIN_UNAUTHORIZED (401), FST_LOGIN_USER_NOT_LOADED */
    requireUser (): LoginUser
    /** In an area whose users are of another type. */
    requireUser<T extends object> (): T
  }

  interface FastifyReply {
    /**
     * Signs the user in and redirects; `return` the promise, it settles when the answer is out.
     * @throws FST_LOGIN_INACTIVE_USER (403), FST_LOGIN_USER_WITHOUT_ID, FST_LOGIN_INVALID_REMEMBER, FST_LOGIN_HEADERS_SENT,
     * FST_LOGIN_COOKIE_TOO_LARGE, FST_LOGIN_INVALID_OPTIONS, FST_LOGIN_STORE_FAILED (503); nothing has changed then
     */
    loginUser (user: LoginUser, options?: LoginUserOptions): Promise<void>
    /** Ends the login here (or there, see `scope`); does not redirect. @throws FST_LOGIN_HEADERS_SENT, FST_LOGIN_STORE_REQUIRED, FST_LOGIN_STORE_FAILED */
    logoutUser (options?: LogoutUserOptions): Promise<void>
    /** Makes the current login fresh again, same `sid`. @throws FST_LOGIN_UNAUTHORIZED (401) without a login, FST_LOGIN_INACTIVE_USER (403), FST_LOGIN_HEADERS_SENT, FST_LOGIN_STORE_FAILED */
    confirmLogin (user?: LoginUser): Promise<void>
  }

  interface FastifyContextConfig {
    login?: {
      /** Exempts the route from every guard. */
      public?: boolean
      /** `false` reads the session without extending it, for pollers. */
      renew?: boolean
    }
  }
}
