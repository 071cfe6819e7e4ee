import type { FastifyInstance } from 'fastify'
import { InvalidOptionsError } from '../errors.js'
import type { GuardAnonymousOptions, GuardFreshOptions, GuardOptions } from '../options/arguments.js'
import { checkArguments } from '../options/rules.js'
import type { GuardHook } from './guards.js'

/*
 * Guards for code that declares routes before the plugin has loaded: they find the login of their route's scope when a
 * request comes.
 */

type Login = FastifyInstance['login']

/** As `fastify.login.guard()`, of the login that serves the route. */
export function guard (options: GuardOptions = {}): GuardHook {
  checkArguments('guard', options)
  return late((login) => login.guard(options))
}

/** As `fastify.login.guardFresh()`, of the login that serves the route. */
export function guardFresh (options: GuardFreshOptions = {}): GuardHook {
  checkArguments('guardFresh', options)
  return late((login) => login.guardFresh(options))
}

/** As `fastify.login.guardAnonymous()`, of the login that serves the route. */
export function guardAnonymous (options: GuardAnonymousOptions = {}): GuardHook {
  checkArguments('guardAnonymous', options)
  return late((login) => login.guardAnonymous(options))
}

function late (make: (login: Login) => GuardHook): GuardHook {
  const made = new WeakMap<Login, GuardHook>()
  return (request, reply, done) => {
    const login = request.server.login as Login | undefined
    if (login === undefined) {
      return done(new InvalidOptionsError('a guard stands before a route whose scope has no fastify-login: ' +
        'register the plugin in this scope or an enclosing one'))
    }
    let hook = made.get(login)
    if (hook === undefined) made.set(login, hook = make(login))
    hook(request, reply, done)
  }
}
