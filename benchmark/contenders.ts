import { randomUUID } from 'node:crypto'
import type { FastifySessionOptions } from '@fastify/session'
import type { FastifyInstance, FastifyReply, FastifyRequest, preHandlerHookHandler } from 'fastify'
import type { LoginStore } from 'fastify-login'
import { openStore } from './stores.js'
import type { StoreName } from './stores.js'

const SECRET = 'a secret of the benchmark, of more than 32 bytes'
/** secure-session derives a key from a secret slowly, once; a ready key spares the start. */
const KEY = Buffer.alloc(32, 'key')

export interface User { id: string, name: string }
export type Users = ReadonlyMap<string, User>

export interface Settings {
  verifiedCacheSize?: number
  store?: StoreName
  storeCheckSeconds?: number
  /** With a stamp and a fingerprint in the tokens. */
  digests?: boolean
}

/** Must not answer with the reply, which is thenable. */
type LogIn = (user: User, reply: FastifyReply, remember: boolean) => unknown

/** What a contender brings to the common routes. */
interface Routes {
  guard?: preHandlerHookHandler
  user (request: FastifyRequest): User
  logIn?: LogIn
}

interface Contender {
  title: string
  build (app: FastifyInstance, users: Users, settings: Settings): Promise<Routes>
}

/** What the plugins below put on a request; their own declarations contradict each other. */
interface Decorated {
  user: User | null
  session: { get (key: string): unknown, set (key: string, value: unknown): void, userId?: string }
  jwtVerify (): Promise<{ sub: string }>
  logIn (user: User): Promise<void>
  isAuthenticated (): boolean
}

const decorated = (request: FastifyRequest) => request as unknown as Decorated
const userOf = (request: FastifyRequest) => decorated(request).user!
const first = (users: Users) => users.values().next().value!

export const contenders = {
  bare: {
    title: 'bare Fastify',
    async build (_app, users) {
      const { id } = first(users)
      return { user: () => users.get(id)! }
    }
  },

  cookie: {
    title: '`@fastify/cookie` only',
    async build (app, users) {
      await app.register(import('@fastify/cookie'))
      return {
        user: (request) => users.get(request.cookies.session!)!,
        logIn (user, reply) { reply.setCookie('session', user.id, { path: '/', httpOnly: true, sameSite: 'lax' }) }
      }
    }
  },

  guarded: {
    title: '**fastify-login, guarded**',
    async build (app, users, settings) {
      const logIn = await registerLogin(app, users, settings)
      return { guard: app.login.guard(), user: (request) => request.requireUser() as unknown as User, logIn }
    }
  },

  unguarded: {
    title: '**fastify-login, unguarded**',
    async build (app, users, settings) {
      const { id } = first(users)
      const logIn = await registerLogin(app, users, settings)
      return { user: () => users.get(id)!, logIn }
    }
  },

  secureSession: {
    title: 'guard over `@fastify/secure-session`',
    async build (app, users) {
      await app.register(import('@fastify/secure-session'), {
        key: KEY, cookie: { path: '/', httpOnly: true, sameSite: 'lax' }
      })
      return guardOverSession(app, users)
    }
  },

  session: {
    title: 'guard over `@fastify/session`, memory store',
    async build (app, users, settings) {
      await registerSession(app, settings, {})
      return guardOverSession(app, users)
    }
  },

  sessionNotRolling: {
    title: 'guard over `@fastify/session`, memory store, `rolling: false`',
    async build (app, users, settings) {
      await registerSession(app, settings, { rolling: false })
      return guardOverSession(app, users)
    }
  },

  passportSecureSession: {
    title: '`@fastify/passport` over secure-session',
    async build (app, users) {
      await app.register(import('@fastify/secure-session'), {
        key: KEY, cookie: { path: '/', httpOnly: true, sameSite: 'lax' }
      })
      return guardOverPassport(app, users)
    }
  },

  passportSession: {
    title: '`@fastify/passport` over session',
    async build (app, users, settings) {
      await registerSession(app, settings, {})
      return guardOverPassport(app, users)
    }
  },

  jwt: {
    title: '`@fastify/jwt` in a cookie',
    build: (app, users) => guardOverJwt(app, users, {})
  },

  jwtCached: {
    title: '`@fastify/jwt` in a cookie, with its cache',
    build: (app, users) => guardOverJwt(app, users, { cache: 10_000 })
  }
} satisfies { [name: string]: Contender }

export type Name = keyof typeof contenders

/**
 * Loads only what the contender needs. All get the same two routes, and do the same work: find the user in a Map, answer with the
 * same JSON.
 */
export async function build (name: Name, app: FastifyInstance, users: Users, settings: Settings) {
  const tally = { served: 0 }
  const { guard, user, logIn } = await (contenders[name] as Contender).build(app, users, settings)

  app.get('/me', guard === undefined ? {} : { preHandler: guard }, async (request) => {
    tally.served++
    const { id, name } = user(request)
    return { id, name }
  })
  app.post('/login', async (request, reply) => {
    tally.served++
    const { id, remember } = request.body as { id: string, remember: boolean }
    await logIn?.(users.get(id)!, reply, remember)
    return { ok: true }
  })
  await app.ready()
  return { tally, guards: guard !== undefined }
}

async function registerLogin (
  app: FastifyInstance, users: Users, { store, digests = false, ...settings }: Settings
): Promise<LogIn> {
  await app.register(import('fastify-login'), {
    secret: SECRET,
    userLoader: (id) => (users.get(id as string) ?? null) as never,
    ...settings,
    ...store === undefined ? {} : { store: await openStore(store, app) as LoginStore },
    ...digests ? { userStamp: () => 'a value that changes', sessionProtection: 'basic' } : {}
  })
  return (user, reply, remember) => reply.loginUser(user as never, { remember, redirectUrl: false })
}

/** As it comes, but for `secure`, which plain http rules out. */
async function registerSession (app: FastifyInstance, { store }: Settings, options: Partial<FastifySessionOptions>) {
  const kept = store === undefined ? {} : { store: await openStore(store, app) as never }
  await app.register(import('@fastify/cookie'))
  await app.register(import('@fastify/session'), { secret: SECRET, cookie: { secure: false }, ...kept, ...options })
}

function guardOverSession (app: FastifyInstance, users: Users): Routes {
  app.decorateRequest('user', null as never)
  return {
    guard (given, reply, done) {
      const request = decorated(given)
      request.user = users.get(request.session.get('userId') as string) ?? null
      if (request.user === null) reply.code(401).send({ error: 'Unauthorized' })
      else done()
    },
    user: userOf,
    logIn: (user, reply) => decorated(reply.request).session.set('userId', user.id)
  }
}

async function guardOverPassport (app: FastifyInstance, users: Users): Promise<Routes> {
  const { Authenticator } = await import('@fastify/passport')
  const passport = new Authenticator()
  passport.registerUserSerializer(async (user: User) => user.id)
  passport.registerUserDeserializer(async (id: string) => users.get(id) ?? null)
  await app.register(passport.initialize())
  await app.register(passport.secureSession())
  return {
    guard (request, reply, done) {
      if (decorated(request).isAuthenticated()) done()
      else reply.code(401).send({ error: 'Unauthorized' })
    },
    user: userOf,
    logIn: (user, reply) => decorated(reply.request).logIn(user)
  }
}

async function guardOverJwt (app: FastifyInstance, users: Users, verify: { cache?: number }): Promise<Routes> {
  await app.register(import('@fastify/cookie'))
  await app.register(import('@fastify/jwt'), {
    secret: SECRET, cookie: { cookieName: 'token', signed: false }, sign: { expiresIn: '1d' }, verify
  })
  app.decorateRequest('account', null as never)
  type WithAccount = { account: User | null }
  return {
    guard: async (given, reply) => {
      const { sub } = await decorated(given).jwtVerify()
      const account = users.get(sub) ?? null
      if (account === null) return reply.code(401).send({ error: 'Unauthorized' })
      ;(given as unknown as WithAccount).account = account
    },
    user: (request) => (request as unknown as WithAccount).account!,
    async logIn (user, reply) {
      const token = app.jwt.sign({ sub: user.id, sid: randomUUID() })
      reply.setCookie('token', token, { path: '/', httpOnly: true, sameSite: 'lax' })
    }
  }
}
