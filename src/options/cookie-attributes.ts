import { defined } from './check.js'
import type { CookieAttributes } from './options.js'

/** With every default filled in: each is given to `@fastify/cookie` explicitly, or its parseOptions would show through. */
export type FullCookieAttributes = Required<CookieAttributes>

/** Later layers win. */
export function fullAttributes (...layers: (CookieAttributes | undefined)[]): FullCookieAttributes {
  const secure = process.env.NODE_ENV === 'production' ? true : 'auto'
  return Object.assign(
    { domain: undefined, path: '/', httpOnly: true, sameSite: 'lax', secure, partitioned: false, priority: undefined },
    ...layers.map((layer) => defined(layer ?? {})))
}

/** What browsers drop (RFC 6265bis, sections 4.1.3 and 5.7; CHIPS for `partitioned`). `option` names the attributes. */
export function cookieProblems (option: string, name: string, attributes: FullCookieAttributes): string[] {
  const { secure, sameSite, partitioned, domain, path } = attributes
  const lowered = name.toLowerCase()
  const isHost = lowered.startsWith('__host-')
  const wrong: string[] = []
  const needsSecure = (cause: string) => {
    if (secure !== true) wrong.push(`${cause} needs ${option}.secure to be true, got ${JSON.stringify(secure)}`)
  }
  if (isHost || lowered.startsWith('__secure-')) needsSecure(`the cookie name ${name}`)
  if (sameSite === 'none') needsSecure(`${option}.sameSite "none"`)
  if (partitioned) needsSecure(`${option}.partitioned`)
  if (isHost && domain !== undefined) wrong.push(`the cookie name ${name} allows no ${option}.domain`)
  if (isHost && path !== '/') {
    wrong.push(`the cookie name ${name} needs ${option}.path to be "/", got ${JSON.stringify(path)}`)
  }
  return wrong
}
