import { defined } from './check.js'
import type { CookieAttributes } from './options.js'

/** Attributes with every default filled in; each is given to `@fastify/cookie` explicitly, or its parseOptions would show through. */
export type FullCookieAttributes = Required<CookieAttributes>

/** Later layers win. */
export function fullAttributes (...layers: (CookieAttributes | undefined)[]): FullCookieAttributes {
  const secure = process.env.NODE_ENV === 'production' ? true : 'auto'
  return Object.assign(
    { domain: undefined, path: '/', httpOnly: true, sameSite: 'lax', secure, partitioned: false, priority: undefined },
    ...layers.map((layer) => defined(layer ?? {})))
}

/** What browsers drop (RFC 6265bis, sections 4.1.3 and 5.7; CHIPS for `partitioned`). */
export function cookieProblems (path: string, name: string, { secure, sameSite, partitioned, domain, path: cookiePath }: FullCookieAttributes): string[] {
  const lowered = name.toLowerCase()
  const wrong: string[] = []
  const needsSecure = (cause: string) => { if (secure !== true) wrong.push(`${cause} needs ${path}.secure to be true, got ${JSON.stringify(secure)}`) }
  if (lowered.startsWith('__host-') || lowered.startsWith('__secure-')) needsSecure(`the cookie name ${name}`)
  if (sameSite === 'none') needsSecure(`${path}.sameSite "none"`)
  if (partitioned) needsSecure(`${path}.partitioned`)
  if (lowered.startsWith('__host-') && domain !== undefined) wrong.push(`the cookie name ${name} allows no ${path}.domain`)
  if (lowered.startsWith('__host-') && cookiePath !== '/') wrong.push(`the cookie name ${name} needs ${path}.path to be "/", got ${JSON.stringify(cookiePath)}`)
  return wrong
}
