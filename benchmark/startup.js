// One start of an application in a process of its own, without loaders: startup.js <what>. Prints milliseconds, by the clock and of CPU time.
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
const start = performance.now()
const cpu = process.cpuUsage()
const plugin = await load()
const loaded = performance.now()
await app.register(plugin.default, options)
await app.ready()
const { user, system } = process.cpuUsage(cpu)
console.log(JSON.stringify({ load: loaded - start, register: performance.now() - loaded, cpu: (user + system) / 1000 }))
