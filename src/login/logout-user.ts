import type { FastifyReply, LoginUser } from 'fastify'
import { StoreRequiredError } from '../errors.js'
import { isPromise } from '../http/promises.js'
import type { LogoutUserOptions } from '../options/arguments.js'
import { checkArguments } from '../options/rules.js'
import type { LoginId, UserId } from '../tokens/claims.js'
import type { Visit } from '../visit/visit.js'
import { assertHeaders } from './new-login.js'

/**
 * Needs no guard and no loaded user, and where nothing has to be waited for, no `await`: the cookies themselves say whose login
 * ends.
 */
export async function logoutUser (visit: Visit, reply: FastifyReply, options: LogoutUserOptions = {}): Promise<void> {
  checkArguments('logoutUser', options)
  assertHeaders(reply, 'logoutUser()')
  const { area, request, session } = visit
  const scope = options.scope ?? 'this'
  const here = visit.logins()
  const [login] = here
  const ended = scope === 'this' ? [] : await endElsewhere(visit, scope, login)
  if (scope === 'others') return

  const user = login === undefined || !area.events.hasListeners('logout') ? null : userForLogout(visit, login.uid)
  if (area.records !== undefined) await area.records.endEach(here.filter(({ sid }) => !ended.includes(sid)))
  const begun = session.startOver(null, area.settings.keepOnLogout)
  if (isPromise(begun)) await begun
  // A cookie on another path does not come with this request, and must go all the same. But a page of another site, whose
  // requests carry no Lax cookies, must not sign people out.
  const anyway = request.headers['sec-fetch-site'] !== 'cross-site'
  if (anyway) session.clearAnyway()
  visit.remember.end({ anyway })
  visit.signedOut()
  if (login !== undefined) {
    area.events.emit('logout', { request, user: await user, userId: login.uid, sid: login.sid, scope })
  }
}

/** A copied cookie whose login was ended must not end the others. */
async function endElsewhere (
  { area, request }: Visit, scope: 'others' | 'everywhere', login: LoginId | undefined
): Promise<string[]> {
  const { records } = area
  if (records === undefined) throw new StoreRequiredError(`logoutUser({ scope: '${scope}' })`)
  if (login === undefined || !await records.alive(login.uid, login.sid, { ask: true })) return []
  const sids = await records.endAll(login.uid, scope === 'others' ? login.sid : null)
  if (sids.length > 0) area.events.emit('revoke', { userId: login.uid, sids, request })
  return sids
}

/** For the event only: whoever cannot be loaded is logged out all the same. */
async function userForLogout (visit: Visit, id: UserId): Promise<LoginUser | null> {
  try {
    return await visit.userForEvent(id)
  } catch (error) {
    visit.request.log.error({ err: error }, 'the user of a logout could not be loaded')
    return null
  }
}
