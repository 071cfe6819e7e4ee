import type {} from '@fastify/cookie'
import type { FastifyRequest, LoginSessionData, LoginUser } from 'fastify'
import type { LoginEvents } from './events.js'
import type { GuardHook, VerifyHook } from './guards/guards.js'
import type {
  CookiesForOptions, GuardAnonymousOptions, GuardFreshOptions, GuardOptions, LoginUserOptions, LogoutUserOptions
} from './options/arguments.js'
import type { LoginSession } from './session/proxy.js'
import type { LoginRecord } from './stores/store.js'
import type { UserId } from './tokens/claims.js'
import type { LoginState } from './visit/visit.js'

export type { LoginSessionData, LoginUser }

/** `fastify.login` */
export interface Login {
  /**
   * Lets logged-in users through; others are redirected or answered 401.
   * @example
   * app.get('/dashboard', { preHandler: app.login.guard() }, async (request) => `hi ${request.requireUser().name}`)
   */
  guard (options?: GuardOptions): GuardHook
  /**
   * Lets users through who proved who they are in this session.
   * @example
   * app.post('/password', { preHandler: app.login.guardFresh({ maxAgeSeconds: 300 }) }, changePassword)
   */
  guardFresh (options?: GuardFreshOptions): GuardHook
  /**
   * Sends logged-in users away, say from the login page.
   * @example
   * app.get('/login', { preHandler: app.login.guardAnonymous({ redirectUrl: '/dashboard' }) }, showLoginPage)
   */
  guardAnonymous (options?: GuardAnonymousOptions): GuardHook
  /** The check of `guard()`, throwing `FST_LOGIN_UNAUTHORIZED`. */
  verify: VerifyHook
  /** The check of `guardFresh()`, throwing `FST_LOGIN_UNAUTHORIZED` or `FST_LOGIN_FRESH_REQUIRED`. */
  verifyFresh: VerifyHook
  /** The value as a redirect target that stays on this site (or an allowed origin), or `null`. */
  safeNext (value: unknown, request?: FastifyRequest): string | null
  /** The login page with the way back to this request; `null` where `loginUrl` is. */
  loginUrlFor (request: FastifyRequest): string | null
  /**
   * Cookies as production would set them, `{ name: value }`, for `inject` and browsers in tests.
   * @example
   * const response = await app.inject({ url: '/dashboard', cookies: await app.login.cookiesFor(ann) })
   */
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
    /**
     * The user or `null` once loaded.
     * @throws FST_LOGIN_USER_NOT_LOADED where somebody may be there, but was not loaded
     */
    readonly currentUser: LoginUser | null
    /** @throws FST_LOGIN_USER_NOT_LOADED */
    readonly loginState: LoginState
    /**
     * The user or `null`; loads at most once per request.
     * @example
     * const user = await request.getCurrentUser()
     */
    getCurrentUser (): Promise<LoginUser | null>
    /** In an area whose users are of another type. */
    getCurrentUser<T extends object> (): Promise<T | null>
    /**
     * The user. For handlers behind a guard.
     * @throws FST_LOGIN_UNAUTHORIZED (401), FST_LOGIN_USER_NOT_LOADED
     * @example
     * app.get('/me', { preHandler: app.login.guard() }, async (request) => request.requireUser().name)
     */
    requireUser (): LoginUser
    /** In an area whose users are of another type. */
    requireUser<T extends object> (): T
  }

  interface FastifyReply {
    /**
     * Signs the user in and redirects; `return` the promise, it settles when the answer is out.
     * @throws FST_LOGIN_INACTIVE_USER (403), FST_LOGIN_USER_WITHOUT_ID, FST_LOGIN_INVALID_REMEMBER,
     * FST_LOGIN_HEADERS_SENT, FST_LOGIN_COOKIE_TOO_LARGE, FST_LOGIN_INVALID_OPTIONS, FST_LOGIN_STORE_FAILED (503);
     * nothing has changed then
     * @example
     * return reply.loginUser(user, { remember: form.remember === 'on', next: form.next })
     */
    loginUser (user: LoginUser, options?: LoginUserOptions): Promise<void>
    /**
     * Ends the login here (or there, see `scope`); does not redirect.
     * @throws FST_LOGIN_HEADERS_SENT, FST_LOGIN_STORE_REQUIRED, FST_LOGIN_STORE_FAILED (503)
     * @example
     * await reply.logoutUser()
     * return reply.redirect('/')
     */
    logoutUser (options?: LogoutUserOptions): Promise<void>
    /**
     * Makes the current login fresh again, same `sid`. After a change to the user (a new password) hand over the changed one.
     * @throws FST_LOGIN_UNAUTHORIZED (401) without a login, FST_LOGIN_INACTIVE_USER (403), FST_LOGIN_HEADERS_SENT,
     * FST_LOGIN_STORE_FAILED (503)
     * @example
     * const changed = await setPassword(request.requireUser(), form.password)
     * await reply.confirmLogin(changed)
     */
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
