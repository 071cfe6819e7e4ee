import type { FastifyReply, LoginUser } from 'fastify'
import { assertSize } from '../cookies/cookie.js'
import { rememberLogin } from '../cookies/remember-cookie.js'
import type { RememberedLogin } from '../cookies/remember-cookie.js'
import { HeadersSentError, InactiveUserError } from '../errors.js'
import { headersGone } from '../http/headers.js'
import { locationOf } from '../http/next.js'
import { isPromise } from '../http/promises.js'
import type { LoginUserOptions } from '../options/arguments.js'
import { checkArguments } from '../options/rules.js'
import { newToken } from '../stores/records.js'
import type { Records } from '../stores/records.js'
import type { LoginClaims } from '../tokens/claims.js'
import { idOf, isActive } from '../visit/user.js'
import type { Visit } from '../visit/visit.js'
import { assertHeaders, daysOf, newLogin } from './new-login.js'

/** Check, write the record, change the session, tell, redirect: what fails throws before anything changed. */
export async function loginUser (
  visit: Visit, reply: FastifyReply, user: LoginUser, options: LoginUserOptions = {}
): Promise<FastifyReply | undefined> {
  const { area, request, session } = visit
  const { remember, next, ...rest } = options
  checkArguments('loginUser', rest)
  assertHeaders(reply, 'loginUser()')
  const id = idOf(user, 'loginUser()')
  const days = daysOf(area, remember)
  if (!isActive(user) && options.force !== true) throw new InactiveUserError()
  const login = newLogin(area, id, user, request, { fresh: options.fresh ?? true })
  const target = options.redirectUrl === false ? null : targetOf(visit, next, options.redirectUrl ?? '/')
  session.assertFits(login, area.settings.keepOnLogin)
  const remembered = days === null ? null : rememberLogin(area.remember, login, days, area.records && newToken())
  if (remembered !== null) assertRememberFits(visit, remembered)

  if (area.records !== undefined) await replaceRecord(visit, area.records, login, remembered)
  if (headersGone(reply)) {
    await area.records?.end(id, login.sid)
    throw new HeadersSentError('loginUser()')
  }

  const begun = session.startOver(login, area.settings.keepOnLogin)
  if (isPromise(begun)) await begun
  if (remembered === null) visit.remember.end()
  else visit.remember.write(remembered)
  visit.signedIn(user)
  area.events.emit('login', { request, user, userId: id, sid: login.sid, remembered: remembered !== null })
  return target === null ? undefined : reply.redirect(target, options.redirectStatus ?? 302)
}

/** The first that is given, in this order; one that is refused still hides those after it. */
function targetOf ({ area, request, session }: Visit, next: unknown, redirectUrl: string): string {
  const query = (request.query as Record<string, unknown> | undefined)?.[area.settings.nextParam]
  const given = [next, query, session.next].find((target) => target !== undefined && target !== null)
  return area.redirects.safeNext(given) ?? locationOf(redirectUrl)
}

function assertRememberFits ({ area, request }: Visit, remembered: RememberedLogin): void {
  const { cookie, tokens } = area.remember
  assertSize(cookie, cookie.size(request, tokens.weigh(remembered)))
}

/** The record of this login comes, those this browser had go. */
async function replaceRecord (
  visit: Visit, records: Records, login: LoginClaims, remembered: RememberedLogin | null
): Promise<void> {
  const { area, request } = visit
  const before = visit.logins()
  const replaces = before.filter(({ uid }) => uid === login.uid).map(({ sid }) => sid)
  const evicted = await records.create(login, remembered, request, replaces)
  try {
    await records.endEach(before.filter(({ uid }) => uid !== login.uid))
  } catch (error) {
    await records.end(login.uid, login.sid).catch(() => {})
    throw error
  }
  if (evicted.length > 0) area.events.emit('revoke', { userId: login.uid, sids: evicted, request })
}
