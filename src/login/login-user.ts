import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest, LoginUser } from 'fastify'
import type { Area } from '../session/session.js'
import { assertCookieFits } from '../cookies/cookie.js'
import {
  HeadersSentError, InactiveUserError, InvalidOptionsError, InvalidRememberError, StoreFailedError, StoreRequiredError, UnauthorizedError
} from '../errors.js'
import { headersGone } from '../http/headers.js'
import { checkArguments, MAX_DAYS } from '../options/rules.js'
import { isPromise } from '../http/promises.js'
import { newToken } from '../stores/records.js'
import type { Records } from '../stores/records.js'
import { locationOf } from '../http/next.js'
import type { Redirects } from '../http/next.js'
import { beginRemembering } from '../cookies/remember-cookie.js'
import { kindOf } from '../options/check.js'
import { numericDate } from '../tokens/tokens.js'
import type { LoginClaims, LoginId } from '../tokens/tokens.js'
import type { LoginUserOptions, LogoutUserOptions, UserId } from '../options/options.js'
import { idOf, isActive } from '../visit/user.js'

/** Signing in, out, and proving it once more. */
export function createLogin (area: Area, redirects: Redirects) {
  const { settings, events } = area

  /** Check, write the record, change the session, tell, redirect: what fails throws before anything changed. */
  async function loginUser (reply: FastifyReply, user: LoginUser, options: LoginUserOptions = {}): Promise<FastifyReply | undefined> {
    const { request } = reply
    const { remember, next, ...rest } = options
    checkArguments('loginUser', rest)
    assertHeaders(reply, 'loginUser()')
    const id = idOf(user, 'loginUser()')
    const days = daysOf(remember)
    if (!isActive(user) && options.force !== true) throw new InactiveUserError()
    const login = newLogin(id, user, request, { fresh: options.fresh ?? true })
    const target = options.redirectUrl === false ? null : targetOf(request, next, options.redirectUrl ?? '/')
    const current = area.currentUser(request)
    current.carrier.assertFits(login, settings.keepOnLogin)

    const remembered = days === null ? null : beginRemembering(area.remember, login, days, area.records && newToken())
    if (remembered !== null) assertCookieFits(area.remember.cookie, request, area.remember.tokens.sign(remembered))
    if (area.records !== undefined) {
      await replaceRecord(area.records, login, remembered, request)
      if (headersGone(reply)) {
        await area.records.end(id, login.sid)
        throw new HeadersSentError('loginUser()')
      }
    }

    const begun = current.carrier.begin(login, settings.keepOnLogin)
    if (isPromise(begun)) await begun
    if (remembered === null) current.remember.clear()
    else current.remember.write(remembered)
    current.signedIn(user)
    events.emit('login', { request, user, userId: id, sid: login.sid, remembered: remembered !== null })
    return target === null ? undefined : reply.redirect(target, options.redirectStatus ?? 302)
  }

  /** Needs no guard and no loaded user, and where nothing has to be waited for, no `await`: the cookies themselves say whose login ends. */
  async function logoutUser (reply: FastifyReply, options: LogoutUserOptions = {}): Promise<void> {
    checkArguments('logoutUser', options)
    assertHeaders(reply, 'logoutUser()')
    const { request } = reply
    const scope = options.scope ?? 'this'
    const current = area.currentUser(request)
    const here = current.logins()
    const [login] = here
    const ended = scope === 'this' ? [] : await endElsewhere(scope, login, request)
    if (scope === 'others') return

    const user = login === undefined || !events.heard('logout') ? null : userForLogout(request, login.uid)
    if (area.records !== undefined) await area.records.endEach(here.filter(({ sid }) => !ended.includes(sid)))
    const begun = current.carrier.begin(null, settings.keepOnLogout)
    if (isPromise(begun)) await begun
    // A cookie on another path does not come with this request, and must go all the same. But a page of another site, whose
    // requests carry no Lax cookies, must not sign people out.
    const anyway = request.headers['sec-fetch-site'] !== 'cross-site'
    if (anyway) current.carrier.clearAnyway()
    current.remember.clear(anyway)
    current.signedOut()
    if (login !== undefined) events.emit('logout', { request, user: await user, userId: login.uid, sid: login.sid, scope })
  }

  /** Renews everything the checks read: time, fingerprint, stamp. */
  async function confirmLogin (reply: FastifyReply, changed?: LoginUser): Promise<void> {
    assertHeaders(reply, 'confirmLogin()')
    const { request } = reply
    const current = area.currentUser(request)
    // The loader would compare the stamp of the changed user with the login's, and end it.
    const user = changed ?? await current.load()
    const login = current.carrier.login
    if (user === null || login === null) throw new UnauthorizedError()
    if (String(idOf(user, 'confirmLogin()')) !== String(login.uid)) {
      throw new InvalidOptionsError('confirmLogin() got another user than the one who is logged in; sign that one in with loginUser()')
    }
    if (!isActive(user)) throw new InactiveUserError()
    if (area.records !== undefined && !await area.records.alive(login.uid, login.sid, { ask: true })) throw new UnauthorizedError()

    const { sid, uid } = login
    const confirmed = { ...newLogin(uid, user, request, { fresh: true }), sid }
    const remembered = current.remember.claims
    current.carrier.update(confirmed)
    if (remembered !== null && remembered.uid === uid && confirmed.stamp !== undefined && remembered.stamp !== confirmed.stamp) {
      current.remember.write({ ...remembered, stamp: confirmed.stamp })
    }
    current.signedIn(user)
    events.emit('confirm', { request, user, userId: uid, sid })
  }

  function newLogin (uid: UserId, user: LoginUser, request: FastifyRequest, { fresh }: { fresh: boolean }): LoginClaims {
    const login = { uid, sid: randomBytes(16).toString('base64url'), auth_time: numericDate(settings.clock()), fresh }
    return area.sealed(login, user, request)
  }

  /** The record of this login comes, those this browser had go. */
  async function replaceRecord (records: Records, login: LoginClaims, remembered: Parameters<Records['create']>[1], request: FastifyRequest): Promise<void> {
    const before = area.currentUser(request).logins()
    const replaces = before.filter(({ uid }) => uid === login.uid).map(({ sid }) => sid)
    const evicted = await records.create(login, remembered, request, replaces)
    try {
      await records.endEach(before.filter(({ uid }) => uid !== login.uid))
    } catch (error) {
      await records.end(login.uid, login.sid).catch(() => {})
      throw error
    }
    if (evicted.length > 0) events.emit('revoke', { userId: login.uid, sids: evicted, request })
  }

  /** A copied cookie whose login was ended must not end the others. */
  async function endElsewhere (scope: 'others' | 'everywhere', login: LoginId | undefined, request: FastifyRequest): Promise<string[]> {
    if (area.records === undefined) throw new StoreRequiredError(`logoutUser({ scope: '${scope}' })`)
    if (login === undefined || !await area.records.alive(login.uid, login.sid, { ask: true })) return []
    const sids = await area.records.endAll(login.uid, scope === 'others' ? login.sid : null)
    if (sids.length > 0) events.emit('revoke', { userId: login.uid, sids, request })
    return sids
  }

  /** For the event only: whoever cannot be loaded is logged out all the same. */
  async function userForLogout (request: FastifyRequest, id: UserId): Promise<LoginUser | null> {
    try {
      return await area.currentUser(request).userFor(id)
    } catch (error) {
      request.log.error({ err: error }, 'the user of a logout could not be loaded')
      return null
    }
  }

  function daysOf (remember: unknown): number | null {
    if (remember === undefined || remember === false) return null
    if (remember === true) return settings.remember.days
    if (typeof remember === 'number' && Number.isInteger(remember) && remember >= 1 && remember <= MAX_DAYS) return remember
    throw new InvalidRememberError(typeof remember === 'number' ? remember : kindOf(remember))
  }

  /** The first that is given, in this order; one that is refused still hides those after it. */
  function targetOf (request: FastifyRequest, next: unknown, redirectUrl: string): string {
    const query = (request.query as Record<string, unknown> | undefined)?.[settings.nextParam]
    const given = [next, query, area.carrier(request).next].find((target) => target !== undefined && target !== null)
    return redirects.safeNext(given) ?? locationOf(redirectUrl)
  }

  /** Where the store failed, the response leaves the cookies as they are: it renews nothing either. */
  function untouchedOnFailure<A extends unknown[], R> (action: (reply: FastifyReply, ...rest: A) => Promise<R>) {
    return (reply: FastifyReply, ...rest: A): Promise<R> => action(reply, ...rest).catch((error) => {
      if (error instanceof StoreFailedError) area.carrier(reply.request).holdRenewal()
      throw error
    })
  }

  return {
    loginUser: untouchedOnFailure(loginUser),
    logoutUser: untouchedOnFailure(logoutUser),
    confirmLogin: untouchedOnFailure(confirmLogin),
    daysOf,
    newLogin
  }
}

/** After that no cookie can carry it any more. */
function assertHeaders (reply: FastifyReply, call: string): void {
  if (headersGone(reply)) throw new HeadersSentError(call)
}
