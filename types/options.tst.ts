import Fastify from 'fastify'
import type { FastifyRegisterOptions, FastifyRequest, LoginUser } from 'fastify'
import { describe, expect, test } from 'tstyche'
import fastifyLogin, { fastifyLogin as named, memoryStore } from '../src/index.js'
import type { FastifyLoginOptions, LoginStore, UserId } from '../src/index.js'
import './augmented.js'

const app = Fastify()
const secret = 'a secret of more than thirty-two bytes'
const userLoader = (): LoginUser | null => null
const minimal = { secret, userLoader }

describe('registering', () => {
  test('takes the default export, the named one, a promise of the module, and options as a function', () => {
    expect(named).type.toBe<typeof fastifyLogin>()
    expect(app.register).type.toBeCallableWith(fastifyLogin, minimal)
    expect(app.register).type.toBeCallableWith(import('../src/index.js'), minimal)
    expect(app.register).type.toBeCallableWith(fastifyLogin, () => minimal)
    expect(app.register).type.toBeCallableWith(fastifyLogin, {
      ...minimal, prefix: '/admin', logLevel: 'warn' as const
    })
    expect<FastifyRegisterOptions<FastifyLoginOptions>>().type.toBeAssignableFrom(minimal)
  })

  test('refuses a name it does not know', () => {
    app.register(fastifyLogin, {
      ...minimal,
      // @ts-expect-error Object literal may only specify known properties
      loginURL: '/login'
    })
  })
})

describe('options', () => {
  test('every option is accepted', () => {
    expect<FastifyLoginOptions>().type.toBeAssignableFrom({
      secret: [secret, Buffer.alloc(32)],
      userLoader: async (_id: UserId, _request: FastifyRequest) => undefined,
      requestLoader: (_request: FastifyRequest) => null,
      loginUrl: '/login?from=guard',
      refreshUrl: null,
      nextParam: 'back',
      nextIn: 'session' as const,
      allowedOrigins: ['https://shop.example'] as const,
      publicOrigin: 'https://www.example',
      unauthorizedHandler: (_request: FastifyRequest) => ({ error: 'who?' }),
      needsRefreshHandler: async () => {},
      loginMessage: 'Please sign in',
      refreshMessage: (request: FastifyRequest) => request.url,
      audience: 'shop',
      cookie: {
        domain: 'example.com',
        path: '/',
        httpOnly: true,
        sameSite: 'none' as const,
        secure: true,
        partitioned: true,
        priority: 'high' as const
      },
      session: {
        cookieName: 's',
        cookie: { secure: 'auto' as const },
        idleSeconds: 60,
        absoluteSeconds: 600,
        keepOnLogin: ['cart'],
        keepOnLogout: []
      },
      remember: { cookieName: 'r', cookie: {}, days: 7, renew: false, maxDays: 14 },
      loadUser: 'eager' as const,
      userStamp: (user: LoginUser) => user.name,
      sessionProtection: 'strong' as const,
      fingerprint: (request: FastifyRequest) => request.ip,
      noStore: false,
      store: memoryStore(),
      storeCheckSeconds: 30,
      rememberGraceSeconds: 10,
      maxLogins: 3,
      verifiedCacheSize: 0,
      clock: () => 0
    })
    expect<FastifyLoginOptions>().type.toBeAssignableFrom({
      session: 'external' as const, sessionProtection: false as const, loginMessage: false as const
    })
    expect<FastifyLoginOptions>().type.toBeAssignableFrom({ secret: process.env.SESSION_SECRET })
  })

  test('no option is required by its type, and each may be undefined', () => {
    expect<FastifyLoginOptions>().type.toBeAssignableFrom({})
    expect<FastifyLoginOptions>().type.toBeAssignableFrom<{ [K in keyof FastifyLoginOptions]: undefined }>()
  })

  test('the loader gets id and request, and answers with the augmented user or none', () => {
    expect<NonNullable<FastifyLoginOptions['userLoader']>>().type.toBe<
      (id: string | number, request: FastifyRequest) =>
        LoginUser | null | undefined | Promise<LoginUser | null | undefined>
    >()
  })

  test('wrong values are refused', () => {
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ secret: number }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ secret: null }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ userLoader: () => string }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ userLoader: () => { id: string } }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ loginUrl: false }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ nextIn: 'cookie' }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ allowedOrigins: string }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ session: 'internal' }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ session: { idleSeconds: string } }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ cookie: { sameSite: 'Strict' } }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ cookie: { secure: 'yes' } }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ remember: { days: string } }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ loadUser: true }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ userStamp: (user: LoginUser) => number }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ userStamp: (user: LoginUser) => Promise<string> }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ sessionProtection: true }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ sessionProtection: 'Strong' }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ loginMessage: true }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ store: Omit<LoginStore, 'rotate'> }>()
    expect<FastifyLoginOptions>().type.not.toBeAssignableFrom<{ clock: () => Date }>()
  })
})
