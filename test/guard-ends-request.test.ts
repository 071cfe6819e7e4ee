import { once } from 'node:events'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import fastifyLogin, { guard, guardAnonymous, guardFresh } from '../src/index.js'
import type { FastifyLoginOptions, GuardHook } from '../src/index.js'
import { build, people, SECRET } from './helpers.js'

const HOOKS = ['onRequest', 'preValidation', 'preHandler'] as const
const JSON_ONLY = { accept: 'application/json' }

type Who = 'nobody' | 'fresh' | 'stale'
interface Denial { name: string, who: Who, guard: (app: FastifyInstance) => GuardHook, options?: FastifyLoginOptions, headers?: Record<string, string>, statusCode: number }

/** Every way in which a guard can end a request. */
const denials: Denial[] = [
  { name: 'a redirect to the login page', who: 'nobody', guard: (app) => app.login.guard(), statusCode: 302 },
  { name: 'a redirect to the refresh page', who: 'stale', guard: (app) => app.login.guardFresh(), statusCode: 302 },
  { name: 'a redirect after an async loader', who: 'stale', guard: (app) => app.login.guardFresh(), options: { userLoader: async (id) => ({ id }) }, statusCode: 302 },
  { name: 'a 401', who: 'nobody', guard: (app) => app.login.guard(), headers: JSON_ONLY, statusCode: 401 },
  { name: 'a 401 for htmx', who: 'nobody', guard: (app) => app.login.guard(), headers: { 'hx-request': 'true' }, statusCode: 401 },
  { name: 'a 403', who: 'fresh', guard: (app) => app.login.guard({ allow: () => false }), statusCode: 403 },
  { name: 'a 403 after an async allow', who: 'fresh', guard: (app) => app.login.guard({ allow: async () => false }), statusCode: 403 },
  { name: 'a loader that fails', who: 'fresh', guard: (app) => app.login.guard(), options: { userLoader: () => { throw new Error('down') } }, statusCode: 500 },
  { name: 'guardAnonymous', who: 'fresh', guard: (app) => app.login.guardAnonymous(), statusCode: 302 },
  { name: 'an own handler that redirects', who: 'nobody', guard: (app) => app.login.guard(), options: { unauthorizedHandler: (_request, reply) => { reply.redirect('/other') } }, statusCode: 302 },
  { name: 'an own handler that returns', who: 'stale', guard: (app) => app.login.guardFresh(), options: { needsRefreshHandler: async () => 'prove it' }, statusCode: 200 },
  { name: 'the plain guard', who: 'nobody', guard: () => guard(), statusCode: 302 },
  { name: 'the plain guardFresh', who: 'stale', guard: () => guardFresh(), statusCode: 302 },
  { name: 'the plain guardAnonymous', who: 'fresh', guard: () => guardAnonymous(), statusCode: 302 }
]

/** `/` behind the guard, and how often its handler ran. */
async function behind (denial: Denial, hook: typeof HOOKS[number], addToScope = false) {
  const app = await build(denial.options)
  let runs = 0
  const handler = async () => { runs++ }
  if (addToScope) {
    app.addHook(hook as 'preHandler', denial.guard(app))
    app.get('/', handler)
  } else {
    app.get('/', { [hook]: denial.guard(app) }, handler)
  }
  const cookies = denial.who === 'nobody' ? {} : await app.login.cookiesFor({ id: 'ann' }, { fresh: denial.who === 'fresh' })
  return { app, cookies, runs: () => runs }
}

for (const hook of HOOKS) {
  t.test(`in ${hook}, the handler does not run whatever async hooks follow`, async (t) => {
    for (const denial of denials) {
      for (const addToScope of [false, true]) {
        const { app, cookies, runs } = await behindWithSlowEnd(denial, hook, addToScope)
        const response = await app.inject({ url: '/', cookies, headers: denial.headers ?? {} })
        await sleep(10)
        t.strictSame([response.statusCode, runs()], [denial.statusCode, 0], denial.name)
      }
    }
  })
}

/** Responses wait for a hook before they go out, so `reply.sent` turns true late. */
async function behindWithSlowEnd (denial: Denial, hook: typeof HOOKS[number], addToScope: boolean) {
  const set = await behind(denial, hook, addToScope)
  set.app.addHook('onSend', async () => { await sleep(5) })
  return set
}

t.test('nor when the client leaves while such a hook is under way', async (t) => {
  for (const denial of denials) {
    for (const hook of HOOKS) {
      const { app, cookies, runs } = await behind(denial, hook)
      const left = Promise.withResolvers === undefined ? deferred() : Promise.withResolvers<void>()
      app.addHook('onSend', async (request) => {
        client.destroy()
        await once(request.raw.socket, 'close')
        await sleep(1)
        left.resolve()
      })
      await app.listen({ port: 0, host: '127.0.0.1' })
      const client = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
      const cookie = Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join('; ')
      const lines = Object.entries({ host: 'own.example', cookie, ...denial.headers }).map(([name, value]) => `${name}: ${value}\r\n`)
      client.write(`GET / HTTP/1.1\r\n${lines.join('')}\r\n`)
      await left.promise
      await app.close()
      t.equal(runs(), 0, `${denial.name} in ${hook}`)
    }
  }
})

function deferred () {
  let resolve = () => {}
  const promise = new Promise<void>((_resolve) => { resolve = _resolve })
  return { promise, resolve }
}
