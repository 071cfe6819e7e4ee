import type { FastifyRequest } from 'fastify'
import type { Area } from '../session/session.js'
import { InvalidOptionsError } from '../errors.js'
import type { createLogin } from './login-user.js'
import { checkArguments } from '../options/rules.js'
import { newToken } from '../stores/records.js'
import { beginRemembering } from '../cookies/remember-cookie.js'
import { encodeSession } from '../session/session-token.js'
import type { SessionKit } from '../session/session-token.js'
import type { Login } from '../options/options.js'
import { idOf } from '../visit/user.js'

/** What `inject` sends where a test names no User-Agent. */
const INJECT_HEADERS = { 'user-agent': 'lightMyRequest' }

/** Cookies for tests of applications: the same claims, keys and records that a login would leave. */
export function createMinting (area: Area, kit: SessionKit | undefined, { newLogin, daysOf }: ReturnType<typeof createLogin>): Login['cookiesFor'] {
  return async (user, { remember, ...options } = {}) => {
    checkArguments('cookiesFor', options)
    if (kit === undefined) throw new InvalidOptionsError('cookiesFor() mints this package\'s session cookie; with session: \'external\' the other plugin writes its own')
    const { headers = INJECT_HEADERS, fresh = true, authTime, data = {} } = options
    const request = { headers: lowerCased(headers), ip: '127.0.0.1', protocol: 'http' } as unknown as FastifyRequest
    const id = idOf(user, 'cookiesFor()')
    const days = daysOf(remember)
    const made = newLogin(id, user, request, { fresh })
    const login = authTime === undefined ? made : { ...made, auth_time: authTime }
    const remembered = days === null ? null : beginRemembering(area.remember, login, days, area.records && newToken())
    const cookies = { [kit.cookie.name]: encodeSession(kit, request, { login, next: undefined, data, born: null }).token }
    await area.records?.create(login, remembered, request)
    if (remembered !== null) cookies[area.remember.cookie.name] = area.remember.tokens.sign(remembered)
    return cookies
  }
}

function lowerCased (headers: { readonly [name: string]: string }): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
