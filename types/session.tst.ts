import Fastify from 'fastify'
import type { FastifyRequest, LoginSessionData } from 'fastify'
import { describe, expect, test } from 'tstyche'
import { jwtSession } from '../src/index.js'
import type { JwtSessionOptions, LoginSession } from '../src/index.js'
import './augmented.js'

declare const request: FastifyRequest
const { session } = request

describe('request.session', () => {
  test('get and set know the augmented keys', () => {
    expect(session.get('cart')).type.toBe<string[] | undefined>()
    expect(session.get('visits')).type.toBe<number | undefined>()
    expect(session.set).type.toBeCallableWith('cart', ['apples'])
    expect(session.set).type.toBeCallableWith('visits', undefined)
    expect(session.set).type.not.toBeCallableWith('cart', 'apples')
    expect(session.set).type.not.toBeCallableWith('visits', '1')
  })

  test('other keys are unknown until looked at', () => {
    expect(session.get('other')).type.toBe<unknown>()
    expect(session.set).type.toBeCallableWith('other', { any: 'thing' })
    expect(session.set).type.not.toBeCallableWith(1, 'one')
  })

  test('property style knows the augmented keys and no others', () => {
    expect(session.cart).type.toBe<string[] | undefined>()
    session.cart = ['apples']
    session.visits = 1
    delete session.cart
    // @ts-expect-error Type 'string' is not assignable
    session.cart = 'apples'
    // @ts-expect-error Property 'other' does not exist
    session.other = 1
  })

  test('the rest of it', () => {
    expect(session.has('cart')).type.toBe<boolean>()
    expect(session.unset).type.toBeCallableWith('cart')
    expect(session.data()).type.toBe<Partial<LoginSessionData> & Record<string, unknown>>()
    expect(session.data().visits).type.toBe<number | undefined>()
    expect(session.regenerate).type.toBeCallableWith()
    expect(session.regenerate).type.toBeCallableWith(['cart'])
    expect(session.regenerate).type.not.toBeCallableWith('cart')
    expect(session.options).type.toBeCallableWith({ maxAge: 60, sameSite: 'strict' as const, expires: new Date(0) })
    expect(session.options).type.not.toBeCallableWith({ maxAge: '60' })
    expect(session.changed).type.toBe<boolean>()
    expect(session.deleted).type.toBe<boolean>()
    // @ts-expect-error Cannot assign to 'changed'
    session.changed = true
    expect(session).type.toBeAssignableTo<LoginSession>()
  })
})

describe('jwtSession', () => {
  const app = Fastify()
  const secret = 'a secret of more than thirty-two bytes'

  test('takes its own options', () => {
    expect(app.register).type.toBeCallableWith(jwtSession, { secret })
    expect<JwtSessionOptions>().type.toBeAssignableFrom({
      secret: [Buffer.alloc(32), secret],
      audience: 'shop',
      cookieName: 's',
      cookie: { secure: 'auto' as const },
      idleSeconds: 60,
      absoluteSeconds: 600,
      verifiedCacheSize: 0,
      clock: () => 0
    })
  })

  test('needs a secret, and knows nothing of users', () => {
    expect<JwtSessionOptions>().type.not.toBeAssignableFrom({})
    expect<JwtSessionOptions>().type.not.toBeAssignableFrom<{ secret: undefined }>()
    expect<keyof JwtSessionOptions>().type.toBe<
      'secret' | 'audience' | 'cookieName' | 'cookie' | 'idleSeconds' | 'absoluteSeconds' | 'verifiedCacheSize' |
      'clock'
    >()
  })
})
