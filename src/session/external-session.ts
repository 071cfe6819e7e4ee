import type { FastifyRequest } from 'fastify'
import { InvalidOptionsError } from '../errors.js'
import type { MaybePromise } from '../http/promises.js'
import type { LoginClaims } from '../tokens/claims.js'
import { Session } from './session.js'

/** Keys in the foreign session. */
const LOGIN = '_login'
const NEXT = '_loginNext'

/** The members `@fastify/session` and `@fastify/secure-session` have in common. */
interface ForeignSession {
  get (key: string): unknown
  set (key: string, value: unknown): void
  regenerate (keep?: readonly string[]): MaybePromise<void>
}

/** Login state in the `request.session` of another plugin, which keeps it secret or on the server. */
export class ExternalSession extends Session {
  constructor (private readonly request: FastifyRequest) {
    super()
  }

  get login (): LoginClaims | null {
    const login = this.session?.get(LOGIN) as Partial<LoginClaims> | null | undefined
    const isLogin = login?.uid !== undefined && login.sid !== undefined && login.auth_time !== undefined
    return isLogin ? login as LoginClaims : null
  }

  get next (): string | undefined {
    return this.session?.get(NEXT) as string | undefined
  }

  set next (target: string | undefined) {
    if (target !== this.next) this.session?.set(NEXT, target)
  }

  update (login: LoginClaims | null): void {
    this.session?.set(LOGIN, login ?? undefined)
  }

  /** Another session id at each login and logout, or somebody who planted the old one would be logged in too. */
  async startOver (login: LoginClaims | null, keep: readonly string[]): Promise<void> {
    await this.session?.regenerate(keep)
    if (login !== null) this.update(login)
  }

  assertFits (): void {
    if (this.session !== null) return
    throw new InvalidOptionsError('this request has no session that could carry a login: ' +
      'ended before, or outside the path of the session cookie')
  }

  /** Read anew each time: `@fastify/session` replaces the object when it regenerates, and puts none outside its cookie's path. */
  private get session (): ForeignSession | null {
    const session = this.request.session as unknown as Partial<ForeignSession> | null
    return typeof session?.get === 'function' ? session as ForeignSession : null
  }
}
