import type { FastifyRequest, LoginUser } from 'fastify'
import { describe, expect, test } from 'tstyche'
import type { Login, LoginEvents, UserId } from '../src/index.js'
import './augmented.js'

declare const login: Login

interface OfUser { request: FastifyRequest, user: LoginUser, userId: UserId, sid: string }
type Same<K extends keyof LoginEvents, T> = { [P in keyof LoginEvents[K]]: LoginEvents[K][P] } extends infer Payload
  ? [Payload, T] extends [T, Payload] ? true : false
  : never

describe('events', () => {
  test('these there are', () => {
    expect<keyof LoginEvents>().type.toBe<
      'login' | 'logout' | 'restore' | 'confirm' | 'unauthorized' | 'needsRefresh' | 'protect' | 'reuse' | 'revoke' |
      'invalidToken'
    >()
  })

  test('each has its payload', () => {
    expect<Same<'login', OfUser & { remembered: boolean }>>().type.toBe<true>()
    expect<Same<'logout', Omit<OfUser, 'user'> & {
      user: LoginUser | null
      scope: 'this' | 'others' | 'everywhere'
    }>>().type.toBe<true>()
    expect<Same<'restore', OfUser>>().type.toBe<true>()
    expect<Same<'confirm', OfUser>>().type.toBe<true>()
    expect<Same<'unauthorized', { request: FastifyRequest }>>().type.toBe<true>()
    expect<Same<'needsRefresh', { request: FastifyRequest, user: LoginUser }>>().type.toBe<true>()
    expect<Same<'protect', OfUser & { mode: 'basic' | 'strong' }>>().type.toBe<true>()
    expect<Same<'reuse', OfUser>>().type.toBe<true>()
    expect<Same<'revoke', { userId: UserId, sids: string[], request?: FastifyRequest }>>().type.toBe<true>()
    expect<LoginEvents['invalidToken']['reason']>().type.toBe<
      'malformed' | 'signature' | 'algorithm' | 'type' | 'claims' | 'expired'
    >()
    expect<Same<'invalidToken', {
      request: FastifyRequest
      cookie: string
      reason: LoginEvents['invalidToken']['reason']
    }>>().type.toBe<true>()
  })

  test('listeners are typed by the name of the event', () => {
    login.on('login', (payload) => expect(payload).type.toBe<LoginEvents['login']>())
    login.once('logout', ({ user }) => expect(user).type.toBe<LoginUser | null>())
    const listener = ({ sid }: { sid: string }) => { sid.at(0) }
    login.on('restore', listener)
    login.off('restore', listener)
    expect(login.on).type.not.toBeCallableWith('signin', () => {})
    expect(login.on).type.not.toBeCallableWith('unauthorized' as const, ({ user }: { user: LoginUser }) => user)
    // @ts-expect-error Property 'user' does not exist
    login.on('unauthorized', ({ user }) => user)
  })
})
