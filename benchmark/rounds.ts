import { contenders } from './contenders.js'
import type { Name, Settings } from './contenders.js'
import { Helper } from './processes.js'

export const CONNECTIONS = 20

/** One slice of load on one server. */
export interface Sample {
  /** Microseconds of server CPU time per request. */
  cpu: number
  /** Requests per second by the wall clock. */
  perSecond: number
  /** CPU time by wall time. */
  busy: number
}

export class Entrant {
  readonly samples: Sample[] = []
  port = 0

  private constructor (readonly key: string, readonly title: string, readonly server: Helper) {}

  /** A server that listens. */
  static async start (name: Name, options: { key?: string, title?: string, users?: number, settings?: Settings, nodeOptions?: string[] } = {}): Promise<Entrant> {
    const { key = name, title = contenders[name].title, users = 100, settings = {}, nodeOptions = [] } = options
    const entrant = new Entrant(key, title, new Helper('./server.ts', [name, String(users), JSON.stringify(settings)], nodeOptions))
    entrant.port = await entrant.server.ask('listen')
    return entrant
  }
}

export interface Pace {
  rounds: number
  /** Rounds that do not count. */
  warmups: number
  slice: { ms: number } | { amount: number }
}

/** Load goes round the servers in short slices, so that a drifting machine hits all alike. */
export async function race (entrants: readonly Entrant[], load: Helper, { rounds, warmups, slice }: Pace): Promise<void> {
  for (let round = -warmups; round < rounds; round++) {
    for (const entrant of shuffled(entrants)) {
      const sample = await measure(entrant, load, slice)
      if (round >= 0) entrant.samples.push(sample)
    }
  }
}

async function measure ({ key, server }: Entrant, load: Helper, slice: Pace['slice']): Promise<Sample> {
  await server.ask('begin')
  const { seconds, answered } = await load.ask<{ seconds: number, answered: number }>('slice', { name: key, connections: CONNECTIONS, ...slice })
  const { cpuMicros, served } = await server.ask<{ cpuMicros: number, served: number }>('end')
  return { cpu: cpuMicros / served, perSecond: answered / seconds, busy: cpuMicros / seconds / 1e6 }
}

export function median (values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** How much more `entrant` does with the same CPU time than `base`: the median of the ratios per round. */
export function byCpu (entrant: Entrant, base: Entrant): number {
  return median(entrant.samples.map(({ cpu }, round) => base.samples[round]!.cpu / cpu))
}

export function byThroughput (entrant: Entrant, base: Entrant): number {
  return median(entrant.samples.map(({ perSecond }, round) => perSecond / base.samples[round]!.perSecond))
}

function shuffled<T> (list: readonly T[]): T[] {
  return list.map((value) => ({ value, place: Math.random() })).sort((a, b) => a.place - b.place).map(({ value }) => value)
}
