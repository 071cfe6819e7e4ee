import type { FastifyReply, LoginUser } from 'fastify'
import { InactiveUserError, InvalidOptionsError, UnauthorizedError } from '../errors.js'
import { currentUser } from '../visit/identify.js'
import { idOf, isActive } from '../visit/user.js'
import type { Visit } from '../visit/visit.js'
import { assertHeaders, newLogin } from './new-login.js'

/** Renews everything the checks read: time, fingerprint, stamp. */
export async function confirmLogin (visit: Visit, reply: FastifyReply, changed?: LoginUser): Promise<void> {
  assertHeaders(reply, 'confirmLogin()')
  const { area, request, session } = visit
  // The loader would compare the stamp of the changed user with the login's, and end it.
  const user = changed ?? await currentUser(visit)
  const { login } = session
  if (user === null || login === null) throw new UnauthorizedError()
  const { sid, uid } = login
  if (String(idOf(user, 'confirmLogin()')) !== String(uid)) {
    throw new InvalidOptionsError('confirmLogin() got another user than the one who is logged in; ' +
      'sign that one in with loginUser()')
  }
  if (!isActive(user)) throw new InactiveUserError()
  if (area.records !== undefined && !await area.records.alive(uid, sid, { ask: true })) throw new UnauthorizedError()

  const confirmed = { ...newLogin(area, uid, user, request, { fresh: true }), sid }
  session.update(confirmed)
  const remembered = visit.remember.claims
  if (remembered?.uid === uid && confirmed.stamp !== undefined && remembered.stamp !== confirmed.stamp) {
    visit.remember.write({ ...remembered, stamp: confirmed.stamp })
  }
  visit.signedIn(user)
  area.events.emit('confirm', { request, user, userId: uid, sid })
}
