import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import type { Test } from 'tap'

/*
 * The package as consumers get it: the built files, through node's own resolution, in a plain process. A door is a way to
 * come by the plugin; whatever the way, a login has to work behind it.
 */
t.setTimeout(120_000)

const ROOT = process.cwd()

const DRIVE = `
const Fastify = require('fastify')
module.exports = async function drive (register) {
  const app = Fastify()
  await register(app, { secret: 'a secret of more than thirty-two bytes', userLoader: (id) => ({ id }) })
  await app.after()
  app.post('/login', async (request, reply) => reply.loginUser({ id: 'ann' }))
  app.get('/me', { preHandler: app.login.guard() }, async (request) => request.requireUser().id)
  const { headers } = await app.inject({ url: '/me' })
  const { cookies } = await app.inject({ method: 'POST', url: '/login' })
  const { body } = await app.inject({ url: '/me', cookies: { session: cookies[0].value } })
  return [headers.location, body]
}
module.exports.all = async function all (doors) {
  const answers = {}
  for (const [name, register] of Object.entries(doors)) {
    answers[name] = await drive(register).catch((error) => String(error))
  }
  console.log(JSON.stringify(answers))
}
const drive = module.exports
`

const COMMONJS = `
const { all } = require('./drive.cjs')
const required = require('fastify-login')
const { fastifyLogin, jwtSession, default: byDefault } = required
all({
  'register(require())': (app, options) => app.register(required, options),
  'require().fastifyLogin': (app, options) => app.register(fastifyLogin, options),
  'require().default': (app, options) => app.register(byDefault, options),
  'register(import())': (app, options) => app.register(import('fastify-login'), options),
  'jwtSession and fastifyLogin': async (app, { secret, userLoader }) => {
    await app.register(jwtSession, { secret })
    await app.register(fastifyLogin, { userLoader })
  }
})
`

const ESM = `
import { createRequire } from 'node:module'
import { all } from './drive.cjs'
import imported, { fastifyLogin, jwtSession } from 'fastify-login'
import * as namespace from 'fastify-login'
const required = createRequire(import.meta.url)('fastify-login')
await all({
  'import x': (app, options) => app.register(imported, options),
  'import { fastifyLogin }': (app, options) => app.register(fastifyLogin, options),
  'import * as x': (app, options) => app.register(namespace, options),
  'register(import())': (app, options) => app.register(import('fastify-login'), options),
  'createRequire': (app, options) => app.register(required, options),
  'jwtSession from one build, fastifyLogin from the other': async (app, { secret, userLoader }) => {
    await app.register(required.jwtSession, { secret })
    await app.register(fastifyLogin, { userLoader })
  },
  'the other way round': async (app, { secret, userLoader }) => {
    await app.register(jwtSession, { secret })
    await app.register(required, { userLoader })
  }
})
`

const AUTOLOAD = `
import autoload from '@fastify/autoload'
import { all } from './drive.cjs'
const dir = (name) => new URL(name, import.meta.url).pathname
await all({
  'a file that is the plugin': (app, options) =>
    app.register(autoload, { dir: dir('plugins-commonjs'), options: { ...options, database: 'shop' } }),
  'a file that re-exports it': (app, options) => app.register(autoload, { dir: dir('plugins-esm'), options })
})
`

const SURFACE = `
import { createRequire } from 'node:module'
import * as namespace from 'fastify-login'
const required = createRequire(import.meta.url)('fastify-login')
const namesOf = (door) => Object.keys(door).filter((name) => name !== '__esModule').sort()
console.log(JSON.stringify([namesOf(namespace), namesOf(required)]))
`

/** A project that has the package installed. */
function consumer (t: Test): string {
  return t.testdir({
    'package.json': JSON.stringify({ name: 'consumer', private: true }),
    node_modules: { 'fastify-login': t.fixture('symlink', ROOT) },
    'drive.cjs': DRIVE,
    'doors.cjs': COMMONJS,
    'doors.mjs': ESM,
    'autoload.mjs': AUTOLOAD,
    'surface.mjs': SURFACE,
    'plugins-commonjs': {
      'login.cjs': "module.exports = require('fastify-login')\nmodule.exports.autoConfig = { loginUrl: '/login' }\n"
    },
    'plugins-esm': {
      'login.mjs': "export { default } from 'fastify-login'\nexport const autoConfig = { loginUrl: '/login' }\n"
    }
  })
}

/** What a script of the consumer prints; without loaders, which would find the sources. */
async function run (t: Test, script: string): Promise<unknown> {
  const { NODE_OPTIONS, NODE_V8_COVERAGE, ...inherited } = process.env
  // Without tap's measurements: they are for the sources, and this runs what is built from them.
  const env = { ...inherited, _TAPJS_PROCESSINFO_COVERAGE_: '0' }
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script], { cwd: consumer(t), env })
  t.equal(stderr, '', 'without a warning')
  return JSON.parse(stdout)
}

for (const script of ['doors.cjs', 'doors.mjs', 'autoload.mjs']) {
  t.test(`a login works behind every door of ${script}`, async (t) => {
    const answers = Object.entries(await run(t, script) as Record<string, unknown>)
    t.not(answers.length, 0)
    for (const [door, answer] of answers) t.same(answer, ['/login?next=%2Fme', 'ann'], door)
  })
}

t.test('import and require find the same names', async (t) => {
  const [imported, required] = await run(t, 'surface.mjs') as [string[], string[]]
  t.same(imported, required)
  for (const name of ['default', 'fastifyLogin', 'jwtSession', 'guard', 'guardFresh', 'guardAnonymous']) {
    t.ok(imported.includes(name), name)
  }
})
