import { Entrant, race, median } from './rounds.js'
import { Helper } from './processes.js'
import type { Name } from './contenders.js'
const names = (process.argv[2] ?? 'bare,cookie,guarded,unguarded').split(',') as Name[]
const nodeOptions = (process.argv[3] ?? '').split(',').filter(Boolean)
const load = new Helper('./load.ts')
const entrants = []
for (const [i, name] of names.entries()) {
  const e = await Entrant.start(name, { key: name + i, nodeOptions })
  if (name === 'bare') await load.ask('use', { name: e.key, port: e.port, cookies: [null] })
  else await load.ask<string[]>('logIn', { name: e.key, port: e.port, users: 100 })
  entrants.push(e)
}
await race(entrants, load, { rounds: 6, warmups: 6, slice: { ms: 400 } })
if (process.argv[4]) for (const e of entrants) {
  console.log(e.key, median(e.samples.map(s => s.cpu)).toFixed(1))
  await e.server.ask('profileBegin')
  await race([e], load, { rounds: 4, warmups: 0, slice: { ms: 500 } })
  const spent = await e.server.ask<any[]>('profileEnd')
  for (const s of spent.slice(0, +process.argv[4])) console.log('   ', (s.share * 100).toFixed(1), s.place, s.what)
}
console.log(entrants.map(e => e.key + ' ' + median(e.samples.map(s => s.cpu)).toFixed(1)).join('  '))
await Promise.all([load, ...entrants.map(e => e.server)].map(h => h.stop()))
