import type { LoginUser } from 'fastify'
import { withFullLifetime } from '../cookies/remember-cookie.js'
import type { RememberedLogin } from '../cookies/remember-cookie.js'
import { isPromise } from '../http/promises.js'
import type { MaybePromise } from '../http/promises.js'
import type { LoginClaims } from '../tokens/claims.js'
import { isActive } from './user.js'
import { ANONYMOUS } from './visit.js'
import type { Known, Visit } from './visit.js'

/** The user or `null`, found once per request; a promise only where something has to be waited for. */
export function currentUser (visit: Visit): MaybePromise<LoginUser | null> {
  const { asked } = visit
  if (asked !== undefined) return asked
  try {
    return visit.settle(identify(visit))
  } catch (error) {
    return visit.settle(Promise.reject(error))
  }
}

/*
 * Session cookie, else remember cookie, else `requestLoader`. Somebody may sign in or out in the same request while one of these
 * is waited for. That stands: whatever writes, ends or tells below asks first whether the visit is settled.
 */
function identify (visit: Visit): MaybePromise<Known> {
  const { login } = visit.session
  if (login !== null) return bySession(visit, login)
  const remembered = visit.remember.claims
  return remembered === null ? byRequest(visit) : byRememberCookie(visit, remembered)
}

/** The way most requests go: nothing is waited for unless the loader or the store has to be. */
function bySession (visit: Visit, login: LoginClaims): MaybePromise<Known> {
  if (visit.area.records !== undefined) return byRecordedSession(visit, login)
  const user = visit.userById(login.uid)
  return isPromise(user) ? user.then((user) => admit(visit, login, user)) : admit(visit, login, user)
}

async function byRecordedSession (visit: Visit, login: LoginClaims): Promise<Known> {
  if (!await visit.area.records!.alive(login.uid, login.sid)) return await endLogin(visit, { hasRecord: false })
  return await admit(visit, login, await visit.userById(login.uid))
}

/** Whether the user of a verified session login may be taken for logged in. */
function admit (visit: Visit, login: LoginClaims, user: LoginUser | null): MaybePromise<Known> {
  if (visit.settled) return ANONYMOUS
  const { area, request, session } = visit
  if (user === null) return endLogin(visit)
  const stamp = area.compareStamp(login.stamp, user)
  if (stamp === 'changed') return endLogin(visit)
  if (!isActive(user)) return byRequest(visit)
  const fingerprint = area.compareFingerprint(login.fp, request)
  if (fingerprint === 'changed') return protect(visit, login, user)
  if (stamp === 'old' || fingerprint === 'old') session.amend(area.withDigests(login, user, request))
  return { kind: 'login', user }
}

/** The fingerprint changed. `basic` takes on the new one, so that this happens once and not at every request. */
async function protect (visit: Visit, login: LoginClaims, user: LoginUser): Promise<Known> {
  const { area, request, session } = visit
  const mode = area.settings.sessionProtection as 'basic' | 'strong'
  const event = { request, user, userId: login.uid, sid: login.sid, mode }
  if (mode === 'basic') {
    session.update(area.withDigests({ ...login, fresh: false }, user, request))
    area.events.emit('protect', event)
    return { kind: 'login', user }
  }
  await area.records?.endEach(visit.logins())
  if (visit.settled) return ANONYMOUS
  session.update(null)
  visit.remember.end()
  area.events.emit('protect', event)
  return await byRequest(visit)
}

async function byRememberCookie (visit: Visit, remembered: RememberedLogin): Promise<Known> {
  const { area, request } = visit
  const user = await visit.userById(remembered.uid)
  if (user === null || area.compareStamp(remembered.stamp, user) === 'changed') return await endLogin(visit)
  if (!isActive(user)) return await byRequest(visit)
  if (area.records === undefined) return restore(visit, remembered, user, undefined)

  const expiresAt = withFullLifetime(area.remember, remembered).exp * 1000
  const redeemed = await area.records.redeem(remembered, { replace: visit.canSetCookies, expiresAt })
  if (redeemed.kind === 'restore') return restore(visit, remembered, user, redeemed.tok)
  if (redeemed.kind === 'reuse') {
    area.events.emit('reuse', { request, user, userId: remembered.uid, sid: remembered.sid })
  }
  return await endLogin(visit, { hasRecord: false })
}

/** Protection values are set here too, or strong protection would end the session at the next request. */
function restore (visit: Visit, remembered: RememberedLogin, user: LoginUser, tok: string | undefined): Known {
  if (visit.settled) return ANONYMOUS
  const { area, request, session } = visit
  const { uid, sid, auth_time } = remembered
  const login = area.withDigests({ uid, sid, auth_time, fresh: false }, user, request)
  session.update(login)
  if (visit.canSetCookies) {
    // With records, the response without a new single-use token is not the one that renews.
    const renews = area.records === undefined ? area.remember.renew : tok !== undefined
    if (renews) visit.remember.renew(remembered, login.stamp, tok)
  } else {
    // A refused handshake has a response after all, and leaves the cookie as an opened one does.
    session.leaveCookie()
  }
  area.events.emit('restore', { request, user, userId: uid, sid })
  return { kind: 'login', user }
}

/** Whoever has no login here may still be known by something else in the request. */
function byRequest (visit: Visit): MaybePromise<Known> {
  const user = visit.userByRequest()
  return isPromise(user) ? user.then(known) : known(user)
}

function known (user: LoginUser | null): Known {
  return user !== null && isActive(user) ? { kind: 'request', user } : ANONYMOUS
}

/** The user is gone, the stamp has changed, or the record was ended: so does the session, with both cookies. */
async function endLogin (visit: Visit, { hasRecord = true } = {}): Promise<Known> {
  const { area, session } = visit
  if (visit.settled) return ANONYMOUS
  if (hasRecord && area.records !== undefined) {
    await area.records.endEach(visit.logins())
    if (visit.settled) return ANONYMOUS
  }
  const begun = session.login === null ? undefined : session.startOver(null, [])
  if (isPromise(begun)) await begun
  visit.remember.end()
  return await byRequest(visit)
}
