import '../src/index.js'
import flash from '@fastify/flash'
import csrf from '@fastify/csrf-protection'
import secureSession from '@fastify/secure-session'
import Fastify from 'fastify'
import type { FastifyRequest } from 'fastify'
import { expect, test } from 'tstyche'
import './augmented.js'

declare const request: FastifyRequest

test('imported first, this package types request.session, whatever other session plugins are in the program', () => {
  expect(request.session.get('visits')).type.toBe<number | undefined>()
  expect(request.session.cart).type.toBe<string[] | undefined>()
  expect(Fastify().register).type.toBeCallableWith(flash)
  expect(Fastify().register).type.toBeCallableWith(csrf, { sessionPlugin: '@fastify/secure-session' as const })
  expect(Fastify().register).type.toBeCallableWith(secureSession, { secret: 'x', salt: 'y' })
})
