import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { claimCookies, scopeOf } from './area/scope.js'
import { InvalidOptionsError } from './errors.js'
import type { JwtSessionOptions } from './options/options.js'
import { jwtSessionSettings } from './options/settings.js'
import { attachSession } from './session/attached-session.js'

/** `request.session` in a signed cookie, without users. */
export const jwtSession = fp(async function jwtSession (fastify: FastifyInstance, options: JwtSessionOptions) {
  const settings = jwtSessionSettings(options, fastify.log)
  const scope = scopeOf(fastify)
  if (scope.session !== undefined || scope.hasLogin) {
    throw new InvalidOptionsError('jwtSession is registered twice in one scope, ' +
      'or after fastifyLogin, which brings it along')
  }
  claimCookies(fastify, scope, [settings.cookieName], settings.secrets)
  scope.session = await attachSession(fastify, settings)
}, { name: 'fastify-login-session', fastify: '5.x' })
