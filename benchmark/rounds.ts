import { contenders } from './contenders.js'
import type { Name, Settings } from './contenders.js'
import { Helper } from './processes.js'

export const CONNECTIONS = 20

/** One slice of load on one server. */
interface Sample {
  /** Microseconds of server CPU time per request. */
  cpu: number
  /** Requests per second by the wall clock. */
  perSecond: number
}

export interface Entrant {
  name: Name
  /** What tells two entrants of one name apart. */
  key?: string
  title?: string
  users?: number
  settings?: Settings
}

export interface Result {
  title: string
  samples: Sample[]
}

export interface Pace {
  /** Times that all servers are started afresh: V8 does not compile the same code alike in every process. */
  generations: number
  /** Requests to each server before anything counts: V8 compiles most of what it will in the first 10 000. */
  warmup: number
  /** Slices per server and generation. */
  rounds: number
  slice: { ms: number } | { amount: number }
}

/** Readies one server for its load. */
export type Prepare = (server: Server, load: Helper) => Promise<void>

/** A contender that listens. */
export class Server {
  readonly key: string
  readonly title: string
  readonly users: number
  private readonly helper: Helper
  port = 0
  guards = false

  constructor (readonly entrant: Entrant, nodeOptions: string[] = []) {
    const { name, key = name, title = contenders[name].title, users = 100, settings = {} } = entrant
    this.key = key
    this.title = title
    this.users = users
    this.helper = new Helper('./server.ts', [name, String(users), JSON.stringify(settings)], nodeOptions)
  }

  async listen (): Promise<void> {
    Object.assign(this, await this.helper.ask<{ port: number, guards: boolean }>('listen'))
  }

  ask<T> (command: string, given?: unknown): Promise<T> {
    return this.helper.ask(command, given)
  }

  async stop (): Promise<void> {
    await this.helper.ask('close')
    await this.helper.stop()
  }
}

/** Load goes round the servers, all of them up, in short slices: a machine that drifts hits all alike. */
export async function race (entrants: readonly Entrant[], prepare: Prepare, pace: Pace): Promise<Map<string, Result>> {
  const results = new Map<string, Result>()
  for (let generation = 1; generation <= pace.generations; generation++) {
    const load = new Helper('./load.ts')
    const servers = entrants.map((entrant) => new Server(entrant))
    for (const { key, title } of servers) if (!results.has(key)) results.set(key, { title, samples: [] })
    note(`generation ${generation} of ${pace.generations}, starting ${servers.length} servers`)
    await Promise.all(servers.map(async (server) => {
      await server.listen()
      await prepare(server, load)
    }))
    note(`generation ${generation} of ${pace.generations}, warming up`)
    for (const server of servers) await measure(server, load, { amount: pace.warmup })
    for (let round = 0; round < pace.rounds; round++) {
      note(`generation ${generation} of ${pace.generations}, round ${round + 1} of ${pace.rounds}`)
      for (const server of shuffled(servers)) {
        results.get(server.key)!.samples.push(await measure(server, load, pace.slice))
      }
    }
    await Promise.all([load.stop(), ...servers.map((server) => server.stop())])
  }
  note('')
  return results
}

async function measure (server: Server, load: Helper, slice: Pace['slice']): Promise<Sample> {
  await server.ask('begin')
  const { seconds, answered } = await load.ask<{ seconds: number, answered: number }>('slice', {
    key: server.key, connections: CONNECTIONS, ...slice
  })
  const { cpuMicros, served } = await server.ask<{ cpuMicros: number, served: number }>('end')
  return { cpu: cpuMicros / served, perSecond: answered / seconds }
}

export function median (values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** How many times as much `result` does with the same CPU time as `base`: the median of the ratios per round. */
export function byCpu (result: Result, base: Result): number {
  return median(result.samples.map(({ cpu }, round) => base.samples[round]!.cpu / cpu))
}

export function byThroughput (result: Result, base: Result): number {
  return median(result.samples.map(({ perSecond }, round) => perSecond / base.samples[round]!.perSecond))
}

export const cpuOf = ({ samples }: Result) => median(samples.map(({ cpu }) => cpu))
export const perSecondOf = ({ samples }: Result) => median(samples.map(({ perSecond }) => perSecond))

/** Where the run is; not part of the tables. */
export function note (text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

function shuffled<T> (list: readonly T[]): T[] {
  return list.map((value) => ({ value, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value)
}
