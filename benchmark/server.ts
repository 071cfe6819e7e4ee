import './warm.js'
import { Session } from 'node:inspector/promises'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { build } from './contenders.js'
import type { Name, Settings, User } from './contenders.js'
import { answer } from './processes.js'
import { selfTimes } from './profile.js'

// One contender in a process of its own: server.ts <name> <number of users> <settings as JSON>
const [name, count, settings] = process.argv.slice(2) as [Name, string, string]

const users = new Map(Array.from({ length: Number(count) }, (_, index): [string, User] => {
  const id = `u${index}`
  return [id, { id, name: `User ${index}` }]
}))
const app = Fastify()
const { tally, guards } = await build(name, app, users, JSON.parse(settings) as Settings)

let cpuBefore = process.cpuUsage()
let servedBefore = 0
const profiler = new Session()

answer({
  async listen () {
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { port: (app.server.address() as AddressInfo).port, guards }
  },

  begin () {
    servedBefore = tally.served
    cpuBefore = process.cpuUsage()
  },

  end () {
    const { user, system } = process.cpuUsage(cpuBefore)
    return { cpuMicros: user + system, served: tally.served - servedBefore }
  },

  /** What logins set, one line per cookie. Asked of a process apart, so that the one under load has seen none of it. */
  async logIn ({ amount, remember }: { amount: number, remember: boolean }) {
    const lines: string[][] = []
    for (let index = 0; index < amount; index++) {
      const { headers } = await app.inject({
        method: 'POST', url: '/login', payload: { id: `u${index % users.size}`, remember }
      })
      lines.push([headers['set-cookie'] ?? []].flat())
    }
    return lines
  },

  /** After collecting what can be collected; needs `--expose-gc`. */
  heap () {
    for (let times = 0; times < 4; times++) globalThis.gc!()
    return process.memoryUsage().heapUsed
  },

  async beginProfile () {
    profiler.connect()
    await profiler.post('Profiler.enable')
    await profiler.post('Profiler.setSamplingInterval', { interval: 200 })
    await profiler.post('Profiler.start')
  },

  async endProfile () {
    const { profile } = await profiler.post('Profiler.stop')
    profiler.disconnect()
    return selfTimes(profile)
  },

  close: () => app.close()
})
