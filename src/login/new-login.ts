import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest, LoginUser } from 'fastify'
import type { Area } from '../area/area.js'
import { HeadersSentError, InvalidRememberError, kindOf, StoreFailedError } from '../errors.js'
import { headersGone } from '../http/headers.js'
import { MAX_DAYS } from '../options/rules.js'
import { numericDate } from '../tokens/claims.js'
import type { LoginClaims, UserId } from '../tokens/claims.js'
import type { Visit } from '../visit/visit.js'

/** The claims of a login that the user makes now. */
export function newLogin (
  area: Area, uid: UserId, user: LoginUser, request: FastifyRequest, { fresh }: { fresh: boolean }
): LoginClaims {
  const sid = randomBytes(16).toString('base64url')
  return area.withDigests({ uid, sid, auth_time: numericDate(area.settings.clock()), fresh }, user, request)
}

/** How many days `remember` asks for; `null`: none. @throws FST_LOGIN_INVALID_REMEMBER */
export function daysOf ({ settings }: Area, remember: unknown): number | null {
  if (remember === undefined || remember === false) return null
  if (remember === true) return settings.remember.days
  if (typeof remember !== 'number') throw new InvalidRememberError(MAX_DAYS, kindOf(remember))
  if (Number.isInteger(remember) && remember >= 1 && remember <= MAX_DAYS) return remember
  throw new InvalidRememberError(MAX_DAYS, remember)
}

/** After that no cookie can carry it any more. @throws FST_LOGIN_HEADERS_SENT */
export function assertHeaders (reply: FastifyReply, call: string): void {
  if (headersGone(reply)) throw new HeadersSentError(call)
}

/** Where the store failed, the response leaves the cookies as they are: it renews nothing either. */
export async function untouchedOnFailure<T> (visit: Visit, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    if (error instanceof StoreFailedError) visit.session.holdRenewal()
    throw error
  }
}
