import Fastify from 'fastify'
import type { FastifyReply, FastifyRequest, LoginUser } from 'fastify'
import { describe, expect, test } from 'tstyche'
import type { Login, LoginRecord, LoginState } from '../src/index.js'
import type { Admin } from './augmented.js'

declare const request: FastifyRequest
declare const reply: FastifyReply
declare const login: Login

describe('request', () => {
  test('the user is the augmented one: never null behind a guard, else maybe', () => {
    expect(request.requireUser()).type.toBe<LoginUser>()
    expect(request.requireUser().name).type.toBe<string>()
    expect(request.currentUser).type.toBe<LoginUser | null>()
    expect(request.getCurrentUser()).type.toBe<Promise<LoginUser | null>>()
  })

  test('an area with users of another type names it', () => {
    expect(request.requireUser<Admin>()).type.toBe<Admin>()
    expect(request.getCurrentUser<Admin>()).type.toBe<Promise<Admin | null>>()
    // @ts-expect-error Property 'rights' is missing in type 'LoginUser'
    const admin: Admin = request.requireUser()
    expect(admin).type.toBe<Admin>()
    // @ts-expect-error does not satisfy the constraint
    request.requireUser<string>()
  })

  test('loginState is narrowed by its kind', () => {
    const state = request.loginState
    expect(state).type.toBe<LoginState>()
    if (state.kind === 'fresh' || state.kind === 'stale') {
      expect(state).type.toHaveProperty('sid')
      expect(state.userId).type.toBe<string | number>()
      expect(state.authTime).type.toBe<number>()
      expect(state.remembered).type.toBe<boolean>()
    }
    expect(state).type.not.toHaveProperty('sid')
    if (!('sid' in state)) expect(state).type.toBe<{ kind: 'anonymous' } | { kind: 'request' }>()
  })

  test('what the plugin knows cannot be written', () => {
    // @ts-expect-error Cannot assign to 'currentUser'
    request.currentUser = null
    // @ts-expect-error Cannot assign to 'loginState'
    request.loginState = { kind: 'anonymous' }
  })
})

describe('reply', () => {
  const user: LoginUser = { id: 1, name: 'Ann' }

  test('loginUser takes a user and options, next from anywhere', () => {
    expect(reply.loginUser).type.toBeCallableWith(user)
    expect(reply.loginUser).type.toBeCallableWith(user, {
      remember: 7,
      redirectUrl: false as const,
      next: request.body,
      fresh: false,
      force: true,
      redirectStatus: 303 as const
    })
    expect(reply.loginUser(user)).type.toBe<Promise<void>>()
    expect(reply.loginUser).type.not.toBeCallableWith({ id: 1 })
    expect(reply.loginUser).type.not.toBeCallableWith(null)
    expect(reply.loginUser).type.not.toBeCallableWith(user, { remember: 'on' })
    expect(reply.loginUser).type.not.toBeCallableWith(user, { redirectUrl: null })
    expect(reply.loginUser).type.not.toBeCallableWith(user, { redirectStatus: 200 })
    expect(reply.loginUser).type.not.toBeCallableWith(user, { days: 7 })
  })

  test('a handler may return what loginUser answers', () => {
    const app = Fastify()
    app.post('/login', async (_request, reply) => reply.loginUser(user))
    app.post<{ Reply: { ok: boolean } }>('/login.json', async (_request, reply) => {
      await reply.loginUser(user, { redirectUrl: false })
      return { ok: true }
    })
  })

  test('logoutUser and confirmLogin', () => {
    expect(reply.logoutUser).type.toBeCallableWith()
    expect(reply.logoutUser).type.toBeCallableWith({ scope: 'everywhere' as const })
    expect(reply.logoutUser).type.not.toBeCallableWith({ scope: 'all' })
    expect(reply.logoutUser()).type.toBe<Promise<void>>()
    expect(reply.confirmLogin).type.toBeCallableWith()
    expect(reply.confirmLogin).type.toBeCallableWith(user)
    expect(reply.confirmLogin).type.not.toBeCallableWith('a password')
  })
})

describe('fastify.login', () => {
  test('is there on every instance', () => {
    expect(Fastify().login).type.toBe<Login>()
  })

  test('builds and checks ways back', () => {
    expect(login.safeNext).type.toBe<(value: unknown, request?: FastifyRequest) => string | null>()
    expect(login.loginUrlFor).type.toBe<(request: FastifyRequest) => string | null>()
  })

  test('mints cookies for inject', async () => {
    const user: LoginUser = { id: 1, name: 'Ann' }
    const cookies = await login.cookiesFor(user, {
      fresh: false, remember: 7, authTime: 0, data: { cart: [] }, headers: { 'user-agent': 'x' }
    })
    expect(Fastify().inject).type.toBeCallableWith({ url: '/', cookies })
    expect(login.cookiesFor).type.not.toBeCallableWith(user, { remember: 'on' })
  })

  test('lists and ends logins', () => {
    expect(login.list(1)).type.toBe<Promise<LoginRecord[]>>()
    expect(login.revoke('a', 'sid')).type.toBe<Promise<boolean>>()
    expect(login.revokeAll('a', { except: 'sid' })).type.toBe<Promise<number>>()
    expect(login.list).type.not.toBeCallableWith()
    expect(login.revoke).type.not.toBeCallableWith('a')
    expect(login.revokeAll).type.not.toBeCallableWith('a', { except: 1 })
  })
})
