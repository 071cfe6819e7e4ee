import { Session } from 'node:inspector/promises'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { build } from './contenders.js'
import type { Name, Settings, User } from './contenders.js'
import { answer } from './processes.js'
import { summary } from './profile.js'

// One contender in a process of its own: server.ts <name> <number of users> <settings as JSON>
const [name, count, settings] = process.argv.slice(2) as [Name, string, string]

const users = new Map(Array.from({ length: Number(count) }, (_, index): [string, User] => {
  const id = `u${index}`
  return [id, { id, name: `User ${index}` }]
}))
const app = Fastify()
const tally = await build(name, app, users, JSON.parse(settings) as Settings)

let before = process.cpuUsage()
let servedBefore = 0
let flt = 0, vol = 0, inv = 0, gcs = 0, gcms = 0
import { PerformanceObserver } from 'node:perf_hooks'
if (process.env.DBG) new PerformanceObserver((l) => { for (const e of l.getEntries()) { gcs++; gcms += e.duration } }).observe({ entryTypes: ['gc'] })

const profiler = new Session()

answer({
  async listen () {
    await app.listen({ port: 0, host: '127.0.0.1' })
    return (app.server.address() as AddressInfo).port
  },

  begin () {
    servedBefore = tally.served
    const r = process.resourceUsage(); flt = r.minorPageFault; vol = r.voluntaryContextSwitches; inv = r.involuntaryContextSwitches; gcs = 0; gcms = 0
    before = process.cpuUsage()
  },

  end () {
    const { user, system } = process.cpuUsage(before)
    const r = process.resourceUsage()
    const n = tally.served - servedBefore
    if (process.env.DBG) console.log(name, 'user', (user / n).toFixed(2), 'sys', (system / n).toFixed(2), 'minflt', r.minorPageFault - flt, 'vol', ((r.voluntaryContextSwitches - vol)/n).toFixed(2), 'invol', r.involuntaryContextSwitches - inv, 'n', n, 'gc', gcs, gcms.toFixed(1))
    return { cpuMicros: user + system, served: tally.served - servedBefore }
  },

  /** Cookies of logins that this process forgets; for the contenders that keep everything in the cookie. */
  async mint ({ from = 0, amount, remember = false }: { from?: number, amount: number, remember?: boolean }) {
    const minted: string[] = []
    for (let index = from; index < from + amount; index++) {
      const payload = { id: `u${index % users.size}`, remember }
      const { headers } = await app.inject({ method: 'POST', url: '/login', payload })
      minted.push([headers['set-cookie'] ?? []].flat().map((line) => line.slice(0, line.indexOf(';'))).join('; '))
    }
    return minted
  },

  async setCookies ({ remember }: { remember: boolean }) {
    const { headers } = await app.inject({ method: 'POST', url: '/login', payload: { id: 'u1', remember } })
    return [headers['set-cookie'] ?? []].flat()
  },

  memory () {
    for (let times = 0; times < 4; times++) globalThis.gc!()
    return process.memoryUsage()
  },

  async profileBegin () {
    profiler.connect()
    await profiler.post('Profiler.enable')
    await profiler.post('Profiler.setSamplingInterval', { interval: 200 })
    await profiler.post('Profiler.start')
  },

  async profileEnd () {
    const { profile } = await profiler.post('Profiler.stop')
    profiler.disconnect()
    if (process.env.DBG2) for (const n of profile.nodes) if (n.callFrame.functionName === process.env.DBG2 && (n.hitCount ?? 0) > 20) console.log(name, n.callFrame.lineNumber, n.hitCount, JSON.stringify(n.positionTicks))
    return summary(profile)
  },

  close: () => app.close()
})
