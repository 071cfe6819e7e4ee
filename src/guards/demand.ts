import type { OwnPage } from '../http/next.js'
import type { Area } from '../area/area.js'
import type { GuardFreshOptions } from '../options/arguments.js'

/** What a guard asks for, with the plugin's defaults filled in. */
export interface Demand {
  /** Whether the login must be fresh, and how old that may be. */
  fresh: { maxAgeSeconds: number | undefined } | null
  loginUrl: string | null
  refreshUrl: string | null
  /** Both pages, where they are ours. */
  loginPage: OwnPage | null
  refreshPage: OwnPage | null
  allow: GuardFreshOptions['allow']
  noStore: boolean
  redirect: 'auto' | 'always' | 'never'
}

export function demandOf ({ settings, redirects }: Area, options: GuardFreshOptions, fresh: Demand['fresh']): Demand {
  const loginUrl = options.loginUrl === undefined ? settings.loginUrl : options.loginUrl
  const noPages = options.loginUrl === null ? null : undefined
  const refreshUrls = [options.refreshUrl, noPages, settings.refreshUrl, options.loginUrl, settings.loginUrl]
  const refreshUrl = refreshUrls.find((url) => url !== undefined) ?? null
  return {
    fresh,
    loginUrl,
    refreshUrl,
    loginPage: redirects.ownPage(loginUrl),
    refreshPage: redirects.ownPage(refreshUrl),
    allow: options.allow,
    noStore: options.noStore ?? settings.noStore,
    redirect: options.redirect ?? 'auto'
  }
}
