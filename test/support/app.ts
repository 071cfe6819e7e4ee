import Fastify from 'fastify'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import fastifyLogin, { jwtSession } from '../../src/index.js'
import type { FastifyLoginOptions, JwtSessionOptions } from '../../src/index.js'
import { SECRET } from './tokens.js'
import { people } from './users.js'

/** An application with the plugin registered; `secret`, users and clock are filled in. */
export async function build (
  options: FastifyLoginOptions = {}, server: FastifyServerOptions = {}
): Promise<FastifyInstance> {
  const app = Fastify(server)
  await app.register(fastifyLogin, { secret: SECRET, userLoader: people().userLoader, ...options })
  return app
}

/** An application with the session alone; `secret` is filled in. */
export async function buildSession (
  options: Partial<JwtSessionOptions> = {}, server: FastifyServerOptions = {}
): Promise<FastifyInstance> {
  const app = Fastify(server)
  await app.register(jwtSession, { secret: SECRET, ...options })
  return app
}
