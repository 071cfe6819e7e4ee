import createError from '@fastify/error'
import type { FastifyError } from '@fastify/error'

/** A good secret in one line; quoted wherever a secret is missing or too short. */
export const SECRET_COMMAND = 'node -p "require(\'node:crypto\').randomBytes(32).toString(\'base64url\')"'

/*
 * Three kinds, kept apart: misuse stops start-up or answers 500, "who are you?" answers 401 or 403, and what could not be
 * told answers 503. No message ever carries a token, a secret or a session value.
 */

export const InvalidOptionsError = createError('FST_LOGIN_INVALID_OPTIONS', '%s', 500, TypeError)
export const SecretTooShortError = createError('FST_LOGIN_SECRET_TOO_SHORT',
  `each secret needs at least %d bytes, got %d. Make one with: ${SECRET_COMMAND}`, 500, TypeError)

export const UnauthorizedError = createError('FST_LOGIN_UNAUTHORIZED', 'This needs a login', 401)
export const FreshRequiredError = createError('FST_LOGIN_FRESH_REQUIRED',
  'This needs a fresh login: sign in again', 401)
export const ForbiddenError = createError('FST_LOGIN_FORBIDDEN', 'This user may not do this', 403)
export const InactiveUserError = createError('FST_LOGIN_INACTIVE_USER',
  'This user is not active and cannot be logged in', 403)
export const CrossOriginError = createError('FST_LOGIN_CROSS_ORIGIN',
  'A page of another origin opened this connection; list the origin in allowedOrigins, or set publicOrigin', 403)

export const UserWithoutIdError = createError('FST_LOGIN_USER_WITHOUT_ID',
  '%s needs a user whose id is a finite number or a string that is not empty, got %s', 500, TypeError)
export const InvalidUserError = createError('FST_LOGIN_INVALID_USER',
  'user.isActive must be true, false or undefined, got %s; whether this user may be logged in cannot be told',
  500, TypeError)
export const InvalidRememberError = createError('FST_LOGIN_INVALID_REMEMBER',
  'remember must be true, false or a whole number of days from 1 to %d, got %s; ' +
  'turn form values into one of these first',
  500, TypeError)
export const UserNotLoadedError = createError('FST_LOGIN_USER_NOT_LOADED',
  '%s was read before the user was loaded. %s', 500)
export const CookieTooLargeError = createError('FST_LOGIN_COOKIE_TOO_LARGE',
  'the cookie "%s" would take %s; the largest session keys are %s. ' +
  'The old cookie was kept: store less in the session', 500)
export const StoreRequiredError = createError('FST_LOGIN_STORE_REQUIRED',
  '%s needs server-side login records: register with the option store, for example memoryStore()', 500)
export const StoreFailedError = createError('FST_LOGIN_STORE_FAILED',
  'the login store failed in %s(); the cookies stay as they were', 503)
export const HeadersSentError = createError('FST_LOGIN_HEADERS_SENT',
  '%s came after the response headers were gone (hijacked, upgraded or already sent), so no cookie could carry it; ' +
  'call it before', 500)
export const NoAnswerError = createError('FST_LOGIN_NO_ANSWER',
  '%s ended without answering; it must send, redirect, throw, or return what is to be sent', 500)

type Thrown =
  | typeof InvalidOptionsError | typeof SecretTooShortError | typeof UnauthorizedError | typeof FreshRequiredError
  | typeof ForbiddenError | typeof InactiveUserError | typeof CrossOriginError | typeof UserWithoutIdError
  | typeof InvalidUserError | typeof InvalidRememberError | typeof UserNotLoadedError | typeof CookieTooLargeError
  | typeof StoreRequiredError | typeof StoreFailedError | typeof HeadersSentError | typeof NoAnswerError

/** The `code` of every error of this package. Match these: messages may change. */
export type LoginErrorCode = InstanceType<Thrown>['code']

/** An error of this package: `app.setErrorHandler<LoginError>((error) => …)` narrows `error.code`. */
export interface LoginError extends FastifyError {
  code: LoginErrorCode
}

/** What arrived, in a word; never what it says. */
export function kindOf (value: unknown): string {
  if (value === null) return 'null'
  if (value === '') return 'an empty string'
  return Array.isArray(value) ? 'an array' : typeof value
}
