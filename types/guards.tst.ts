import auth from '@fastify/auth'
import Fastify from 'fastify'
import type {
  FastifyContextConfig,
  FastifyReply,
  FastifyRequest,
  LoginUser,
  onRequestHookHandler,
  preHandlerHookHandler,
  preValidationHookHandler
} from 'fastify'
import { describe, expect, test } from 'tstyche'
import { guard, guardAnonymous, guardFresh } from '../src/index.js'
import type { GuardFreshOptions, GuardHook, GuardOptions, Login } from '../src/index.js'
import './augmented.js'

const app = Fastify()
await app.register(auth)

describe('guards', () => {
  test('stand where Fastify takes hooks', () => {
    for (const hook of [
      guard(), guardFresh(), guardAnonymous(), app.login.guard(), app.login.guardFresh(), app.login.guardAnonymous()
    ]) {
      expect(hook).type.toBe<GuardHook>()
    }
    expect<onRequestHookHandler>().type.toBeAssignableFrom<GuardHook>()
    expect<preValidationHookHandler>().type.toBeAssignableFrom<GuardHook>()
    expect<preHandlerHookHandler>().type.toBeAssignableFrom<GuardHook>()
    expect(app.get).type.toBeCallableWith(
      '/',
      { onRequest: guard(), preValidation: [guardFresh()], preHandler: [app.login.guard()] },
      () => ''
    )
    expect(app.addHook).type.toBeCallableWith('onRequest' as const, guard())
    expect(app.addHook).type.toBeCallableWith('preValidation' as const, app.login.guardFresh())
    expect(app.addHook).type.toBeCallableWith('preHandler' as const, app.login.guardAnonymous())
  })

  test('keep the types of a route with a body', () => {
    app.post<{ Body: { name: string } }>('/', { preHandler: guard() }, async (request) => {
      expect(request.body).type.toBe<{ name: string }>()
      expect(request.requireUser()).type.toBe<LoginUser>()
    })
  })

  test('compose with @fastify/auth, as do the checks that only throw', () => {
    expect(app.auth).type.toBeCallableWith([app.login.verify, app.login.verifyFresh])
    expect(app.auth).type.toBeCallableWith(
      [app.login.verify, [app.login.verifyFresh, app.login.guard()]],
      { relation: 'or' as const }
    )
    expect<Login['verify']>().type.toBe<(request: FastifyRequest, reply: FastifyReply) => Promise<void>>()
  })

  test('take options, with the user and the request for allow', () => {
    expect(guard).type.toBeCallableWith({
      loginUrl: null,
      allow: async (user: LoginUser, request: FastifyRequest) => user.id > 0 && request.ip !== '',
      noStore: false,
      redirect: 'never' as const
    })
    expect(guardFresh).type.toBeCallableWith({ maxAgeSeconds: 300, refreshUrl: '/confirm', loginUrl: '/login' })
    expect(guardAnonymous).type.toBeCallableWith({ redirectUrl: '/home' })
    expect<Login['guard']>().type.toBe<typeof guard>()
    expect<Login['guardFresh']>().type.toBe<typeof guardFresh>()
    expect<Login['guardAnonymous']>().type.toBe<typeof guardAnonymous>()
  })

  test('refuse what is none of their options', () => {
    expect(guard).type.not.toBeCallableWith({ maxAgeSeconds: 300 })
    expect(guard).type.not.toBeCallableWith({ redirect: true })
    expect(guardFresh).type.not.toBeCallableWith({ maxAge: 300 })
    expect(guardAnonymous).type.not.toBeCallableWith({ loginUrl: '/' })
    expect<GuardOptions>().type.not.toBeAssignableFrom<{ allow: (user: { rights: string[] }) => boolean }>()
    expect<GuardFreshOptions>().type.not.toBeAssignableFrom<{ maxAgeSeconds: string }>()
  })
})

describe('route config', () => {
  test('knows login.public and login.renew', () => {
    expect(app.get).type.toBeCallableWith('/', { config: { login: { public: true, renew: false } } }, () => '')
    expect<NonNullable<FastifyContextConfig['login']>>().type.toBe<{ public?: boolean, renew?: boolean }>()
    expect<FastifyContextConfig>().type.not.toBeAssignableFrom<{ login: { public: string } }>()
    expect<FastifyContextConfig>().type.not.toBeAssignableFrom<{ login: true }>()
  })
})
