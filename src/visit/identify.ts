import type { LoginUser } from 'fastify'
import type { CurrentUser, Known } from './visit.js'
import { headersGone, isHandshake } from '../http/headers.js'
import { then } from '../http/promises.js'
import type { Remembering } from '../cookies/remember-cookie.js'
import type { LoginClaims } from '../tokens/tokens.js'
import type { MaybePromise } from '../options/options.js'
import { idOf, isActive } from './user.js'

/**
 * Session cookie, else remember cookie, else `requestLoader`. What is found may be overtaken by a login or logout of the same
 * request while it is waited for: then nothing of it may be written, ended or told.
 */
export function findUser (current: CurrentUser): MaybePromise<Known> {
  const login = current.carrier.login
  if (login !== null) return then(bySession(current, login), (user) => user === null ? byRequest(current) : { kind: 'login', user })
  const remembered = current.remember.claims
  if (remembered !== null) return then(byRemember(current, remembered), (user) => user === null ? byRequest(current) : { kind: 'login', user })
  return byRequest(current)
}

function bySession (current: CurrentUser, login: LoginClaims): MaybePromise<LoginUser | null> {
  const { records } = current.area
  if (records === undefined) return then(current.byId(login.uid), (user) => admit(current, login, user))
  return records.alive(login.uid, login.sid).then((alive) => alive
    ? then(current.byId(login.uid), (user) => admit(current, login, user))
    : end(current, { withRecords: false }))
}

/** Whether the user of a verified session login may be taken for logged in. */
function admit (current: CurrentUser, login: LoginClaims, user: LoginUser | null): MaybePromise<LoginUser | null> {
  if (current.overtaken) return user
  if (user === null) return end(current)
  const { area, request, carrier } = current
  const stamp = area.compareStamp(login.stamp, user)
  if (stamp === 'changed') return end(current)
  if (!isActive(user)) return null
  const fingerprint = area.compareFingerprint(login.fp, request)
  if (fingerprint === 'changed') return protect(current, login, user)
  if (stamp === 'old' || fingerprint === 'old') carrier.refresh(area.sealed(login, user, request))
  return user
}

/** The fingerprint changed. `basic` takes on the new one, so that this happens once and not at every request. */
function protect (current: CurrentUser, login: LoginClaims, user: LoginUser): MaybePromise<LoginUser | null> {
  const { area, request, carrier } = current
  const mode = area.settings.sessionProtection as 'basic' | 'strong'
  const tell = () => area.events.emit('protect', { request, user, userId: login.uid, sid: login.sid, mode })
  if (mode === 'basic') {
    carrier.update(area.sealed({ ...login, fresh: false }, user, request))
    tell()
    return user
  }
  return then(area.records?.endEach(current.logins()), () => {
    if (current.overtaken) return null
    carrier.update(null)
    current.remember.clear()
    tell()
    return null
  })
}

function byRemember (current: CurrentUser, remembered: Remembering): MaybePromise<LoginUser | null> {
  const { area, request } = current
  return then(current.byId(remembered.uid), (user) => {
    if (user === null || area.compareStamp(remembered.stamp, user) === 'changed') return end(current)
    if (!isActive(user)) return null
    const { records } = area
    if (records === undefined) return restore(current, remembered, user, undefined)
    const step = { replace: responseCarriesCookies(current), expiresAt: current.remember.renewed(remembered).exp * 1000 }
    return records.present(remembered, step).then((presented) => {
      if (presented.kind === 'restore') return restore(current, remembered, user, presented.tok)
      if (presented.kind === 'reuse') area.events.emit('reuse', { request, user, userId: remembered.uid, sid: remembered.sid })
      return end(current, { withRecords: false })
    })
  })
}

/** Protection values are set here too, or strong protection would end the session at the next request. */
function restore (current: CurrentUser, remembered: Remembering, user: LoginUser, tok: string | undefined): LoginUser {
  if (current.overtaken) return user
  const { area, request, carrier } = current
  const { uid, sid, auth_time } = remembered
  const login = area.sealed({ uid, sid, auth_time, fresh: false }, user, request)
  if (responseCarriesCookies(current)) {
    carrier.update(login)
    // With records, the response without a new single-use token is not the one that renews.
    if (area.records === undefined ? area.remember.renew : tok !== undefined) current.remember.renew(remembered, login.stamp, tok)
  } else {
    // A refused handshake has a response after all, and leaves the cookie as an opened one does.
    carrier.refresh(login)
  }
  area.events.emit('restore', { request, user, userId: uid, sid })
  return user
}

function byRequest ({ area, request }: CurrentUser): MaybePromise<Known> {
  const { requestLoader } = area.settings
  if (requestLoader === undefined) return { kind: 'anonymous' }
  return then(requestLoader(request), (user) => {
    if (user === null || user === undefined) return { kind: 'anonymous' }
    idOf(user, 'requestLoader')
    return isActive(user) ? { kind: 'request', user } : { kind: 'anonymous' }
  })
}

/** The user is gone, the stamp has changed, or the record was ended: so does the session, with both cookies. */
function end (current: CurrentUser, { withRecords = true } = {}): MaybePromise<null> {
  if (current.overtaken) return null
  const { area, carrier } = current
  return then(withRecords ? area.records?.endEach(current.logins()) : undefined, () => {
    if (current.overtaken) return null
    return then(carrier.login === null ? undefined : carrier.begin(null, []), () => {
      current.remember.clear()
      return null
    })
  })
}

function responseCarriesCookies ({ area, request }: CurrentUser): boolean {
  const reply = area.replyOf(request)
  return !isHandshake(request) && (reply === null || !headersGone(reply))
}
