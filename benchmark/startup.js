// One start of an application in a process of its own, without loaders: startup.js <what>. Prints milliseconds.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const { default: Fastify } = await import('fastify')
const app = Fastify()

const secret = 'a secret of the benchmark, of more than 32 bytes'
const login = { secret, userLoader: () => null }
const starts = {
  cookie: { load: () => import('@fastify/cookie'), options: {} },
  import: { load: () => import('fastify-login'), options: login },
  require: { load: async () => require('fastify-login'), options: login }
}

const { load, options } = starts[process.argv[2]]
const before = performance.now()
const plugin = await load()
const loaded = performance.now()
await app.register(plugin.default, options)
await app.ready()
const registered = performance.now()
console.log(JSON.stringify({ load: loaded - before, register: registered - loaded }))
