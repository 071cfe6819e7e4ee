import type { FastifyRequest, LoginUser } from 'fastify'
import type { MaybePromise } from '../http/promises.js'

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
