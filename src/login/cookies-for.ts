import type { FastifyRequest, LoginUser } from 'fastify'
import type { Area } from '../area/area.js'
import { assertSize } from '../cookies/cookie.js'
import { rememberLogin } from '../cookies/remember-cookie.js'
import { InvalidOptionsError } from '../errors.js'
import type { CookiesForOptions } from '../options/arguments.js'
import { checkArguments } from '../options/rules.js'
import { sessionClaims } from '../session/session-token.js'
import type { SessionCookie } from '../session/session-token.js'
import { newToken } from '../stores/records.js'
import { idOf } from '../visit/user.js'
import { daysOf, newLogin } from './new-login.js'

/** What `inject` sends where a test names no User-Agent. */
const INJECT_HEADERS = { 'user-agent': 'lightMyRequest' }

/** Cookies for tests of applications: the same claims, keys and records that a login would leave. */
export async function cookiesFor (
  area: Area, session: SessionCookie | undefined, user: LoginUser, { remember, ...options }: CookiesForOptions = {}
): Promise<Record<string, string>> {
  checkArguments('cookiesFor', options)
  if (session === undefined) {
    throw new InvalidOptionsError('cookiesFor() mints this package\'s session cookie; ' +
      'with session: \'external\' the other plugin writes its own')
  }
  const { headers = INJECT_HEADERS, fresh = true, authTime, data = {} } = options
  const request = { headers: lowerCased(headers), ip: '127.0.0.1', protocol: 'http' } as unknown as FastifyRequest
  const id = idOf(user, 'cookiesFor()')
  const days = daysOf(area, remember)
  const made = newLogin(area, id, user, request, { fresh })
  const login = authTime === undefined ? made : { ...made, auth_time: authTime }
  const remembered = days === null ? null : rememberLogin(area.remember, login, days, area.records && newToken())
  const token = session.tokens.sign(sessionClaims(session, { login, next: undefined, data, born: null }))
  assertSize(session.cookie, session.cookie.size(request, token.length), data)
  const cookies = { [session.cookie.name]: token }
  await area.records?.create(login, remembered, request)
  if (remembered !== null) cookies[area.remember.cookie.name] = area.remember.tokens.sign(remembered)
  return cookies
}

function lowerCased (headers: { readonly [name: string]: string }): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
