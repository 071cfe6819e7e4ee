import { Entrant, race, median, byCpu, byThroughput } from './rounds.js'
import { Helper } from './processes.js'
import type { Name } from './contenders.js'
const names = (process.argv[2] ?? 'bare,cookie,guarded,unguarded').split(',') as Name[]
const load = new Helper('./load.ts')
const entrants = []
for (const [i, name] of names.entries()) {
  const e = await Entrant.start(name, { key: name + i })
  if (name === 'bare') await load.ask('use', { name: e.key, port: e.port, cookies: [null] })
  else {
    const cookies = await load.ask<string[]>('logIn', { name: e.key, port: e.port, users: 100 })
    const said = await load.ask('ask', { port: e.port, cookies: cookies.slice(0, 3) })
    console.log(name, cookies[1], JSON.stringify(said))
  }
  entrants.push(e)
}
await race(entrants, load, { rounds: Number(process.argv[3] ?? 10), warmups: 4, slice: { ms: 400 } })
for (const e of entrants) console.log(e.key.padEnd(20), median(e.samples.map(s => s.cpu)).toFixed(1), 'us', median(e.samples.map(s => s.perSecond)).toFixed(0), 'r/s busy', median(e.samples.map(s => s.busy)).toFixed(2), 'cpu x cookie', byCpu(e, entrants[1]!).toFixed(3), 'thr', byThroughput(e, entrants[1]!).toFixed(3))
await Promise.all([load, ...entrants.map(e => e.server)].map(h => h.stop()))
