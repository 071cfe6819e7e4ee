import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Name } from './contenders.js'
import { mint, minted, signedIn, signingIn } from './prepare.js'
import { Helper } from './processes.js'
import type { SelfTime } from './profile.js'
import { byCpu, byThroughput, CONNECTIONS, cpuOf, median, note, perSecondOf, race, Server } from './rounds.js'
import type { Entrant, Pace, Result } from './rounds.js'
import { missingFor } from './stores.js'
import type { StoreName } from './stores.js'

/** What a table set out to show, and what came of it. */
export interface Target {
  work: string
  floor: number
  aim: number
  measured: number
  /** By the wall clock, where there is such a thing. */
  throughput?: number
  unit: '×' | 'MB' | 'ms'
}

export interface Table {
  title: string
  /** What was done, for those who read the table. */
  text: string
  head: string[]
  rows: string[][]
  targets?: Target[]
}

type MakeTable = (quick: boolean) => Promise<Table>

const full: Pace = { generations: 3, warmup: 40_000, rounds: 12, slice: { ms: 400 } }
const short: Pace = { generations: 1, warmup: 6000, rounds: 3, slice: { ms: 150 } }

const times = (ratio: number) => `${ratio.toFixed(2)} ×`
const micros = (value: number) => `${value.toFixed(1)} µs`
const whole = (value: number) => Math.round(value).toLocaleString('en').replaceAll(',', ' ')

const hot: MakeTable = async (quick) => {
  const names: Name[] = quick
    ? ['bare', 'cookie', 'unguarded', 'guarded', 'secureSession', 'passportSecureSession']
    : ['bare', 'cookie', 'unguarded', 'guarded', 'secureSession', 'passportSecureSession', 'jwt', 'jwtCached',
        'session', 'sessionNotRolling', 'passportSession']
  const results = await race(names.map((name) => ({ name })), signedIn, quick ? short : full)
  const of = (name: Name) => results.get(name)!
  const target = (work: string, result: Name, base: Name, floor: number, aim: number): Target => ({
    work, floor, aim, measured: byCpu(of(result), of(base)), throughput: byThroughput(of(result), of(base)), unit: '×'
  })

  return {
    title: 'A small JSON route',
    text: '100 users who have signed in and come again and again. Guarded routes load the user from a Map.',
    head: [
      '', 'CPU per request', 'against `@fastify/cookie` only', 'by throughput', 'ours, guarded, against it',
      'by throughput', 'requests/s'
    ],
    rows: names.map((name) => {
      const result = of(name)
      return [
        result.title, micros(cpuOf(result)), times(byCpu(result, of('cookie'))),
        times(byThroughput(result, of('cookie'))),
        times(byCpu(of('guarded'), result)), times(byThroughput(of('guarded'), result)), whole(perSecondOf(result))
      ]
    }),
    targets: [
      target('guarded, against `@fastify/cookie` only', 'guarded', 'cookie', 0.85, 0.95),
      target('guarded, against secure-session', 'guarded', 'secureSession', 1.3, 1.5),
      target('guarded, against passport over secure-session', 'guarded', 'passportSecureSession', 1.5, 1.75),
      target('unguarded, against `@fastify/cookie` only', 'unguarded', 'cookie', 0.97, 0.99)
    ]
  }
}

const cold: MakeTable = async (quick) => {
  const amount = quick ? 1500 : 3000
  const pace: Pace = quick ? { ...short, slice: { amount } } : { ...full, slice: { amount } }
  const names: Name[] = ['cookie', 'guarded', 'jwt', ...quick ? [] : ['secureSession' as const]]
  const prepare = minted(() => pace.warmup + pace.rounds * amount + (pace.rounds + 1) * CONNECTIONS)
  const results = await race(names.map((name) => ({ name })), prepare, pace)
  const of = (name: Name) => results.get(name)!

  return {
    title: 'Tokens never seen before',
    text: 'The same guarded route; every request comes with the cookie of another login, so that no cache helps.',
    head: ['', 'CPU per request', 'ours, guarded, against it', 'by throughput', 'requests/s'],
    rows: names.map((name) => [
      of(name).title, micros(cpuOf(of(name))), times(byCpu(of('guarded'), of(name))),
      times(byThroughput(of('guarded'), of(name))), whole(perSecondOf(of(name)))
    ]),
    targets: [{
      work: 'guarded, every token new, against `@fastify/jwt` in a cookie',
      floor: 1,
      aim: 1.2,
      measured: byCpu(of('guarded'), of('jwt')),
      throughput: byThroughput(of('guarded'), of('jwt')),
      unit: '×'
    }]
  }
}

const users: MakeTable = async (quick) => {
  const settings = { verifiedCacheSize: 200_000 }
  const amounts = quick ? [1, 100, 3000] : [1, 100, 10_000, 100_000]
  const largest = amounts.at(-1)!
  const entrants: Entrant[] = [
    ...amounts.map((amount): Entrant => ({
      name: 'guarded', key: String(amount), title: `**${whole(amount)} users**`, users: amount, settings
    })),
    ...quick
      ? []
      : [{
          name: 'guarded' as const,
          key: 'small cache',
          title: `${whole(largest)} users in turn, cache of 10 000`,
          users: largest
        }],
    { name: 'cookie', key: 'cookie 100', title: '`@fastify/cookie` only, 100 users' },
    { name: 'cookie', title: `\`@fastify/cookie\` only, ${whole(largest)} users`, users: largest }
  ]
  // Warm means that all have come twice: those who are to be in the cache are there.
  const pace: Pace = { ...quick ? short : full, warmup: 2 * largest + CONNECTIONS }
  const results = await race(entrants, minted((amount) => amount), pace)
  const base = results.get('100')!

  return {
    title: 'More users',
    text: 'The guarded route and the cookies of so many users in turn, all of them in the cache of verified ' +
      'tokens unless said otherwise.',
    head: ['', 'CPU per request', 'against itself with 100 users', 'by throughput'],
    rows: [...results].map(([key, result]) => {
      const few = key.startsWith('cookie') ? results.get('cookie 100')! : base
      return [result.title, micros(cpuOf(result)), times(byCpu(result, few)), times(byThroughput(result, few))]
    }),
    targets: quick
      ? []
      : [{
          work: '100 000 users, against 100',
          floor: 0.9,
          aim: 0.9,
          measured: byCpu(results.get('100000')!, base),
          throughput: byThroughput(results.get('100000')!, base),
          unit: '×'
        }]
  }
}

const logins: MakeTable = async (quick) => {
  const pace = quick ? short : full
  const entrants: Entrant[] = [
    { name: 'guarded', key: 'both', title: '**fastify-login**, session and remember cookie' },
    { name: 'secureSession' },
    { name: 'jwt' },
    ...quick
      ? []
      : [
          { name: 'guarded' as const, title: '**fastify-login**, session cookie' },
          { name: 'passportSecureSession' as const },
          { name: 'session' as const }
        ]
  ]
  const results = await race(entrants, (server, load) => signingIn(server.key === 'both')(server, load), pace)
  const base = results.get('both')!

  return {
    title: 'Logins',
    text: '`POST /login` with a small JSON body; no password is hashed.',
    head: ['', 'CPU per login', 'logins per second of CPU', 'ours, both cookies, against it', 'logins/s'],
    rows: [...results.values()].map((result) => [
      result.title, micros(cpuOf(result)), whole(1e6 / cpuOf(result)), times(byCpu(base, result)),
      whole(perSecondOf(result))
    ])
  }
}

const storesTable: MakeTable = async (quick) => {
  const kinds: { store: StoreName, called: string }[] = [
    { store: 'memory', called: 'memory' }, { store: 'redis', called: 'Redis, ioredis' },
    { store: 'postgres', called: 'PostgreSQL, pg' }
  ]
  const candidates: Entrant[] = [
    { name: 'guarded', title: '**fastify-login**, no store' },
    ...kinds.flatMap(({ store, called }) => [0, 30].map((storeCheckSeconds): Entrant => ({
      name: 'guarded',
      key: `${store} ${storeCheckSeconds}`,
      title: `**fastify-login**, ${called}, \`storeCheckSeconds: ${storeCheckSeconds}\``,
      settings: { store, storeCheckSeconds }
    }))),
    { name: 'session', title: '`@fastify/session` over connect-redis', settings: { store: 'connectRedis' } },
    {
      name: 'sessionNotRolling',
      title: '`@fastify/session` over connect-redis, `rolling: false`',
      settings: { store: 'connectRedis' }
    }
  ]
  const absent: string[] = []
  const entrants: Entrant[] = []
  for (const entrant of candidates) {
    const server = entrant.settings?.store && await missingFor(entrant.settings.store)
    if (server !== undefined) absent.push(server)
    else if (!quick || ['guarded', 'redis 0', 'session'].includes(entrant.key ?? entrant.name)) entrants.push(entrant)
  }
  const results = await race(entrants, signedIn, quick ? short : full)
  const base = results.get('guarded')!
  const targets = (store: string): Target[] => {
    const [each, seldom, rival] = [`${store} 0`, `${store} 30`, 'session'].map((key) => results.get(key))
    const target = (work: string, result: Result, other: Result, floor: number): Target =>
      ({ work, floor, aim: floor, measured: byCpu(result, other), throughput: byThroughput(result, other), unit: '×' })
    return [
      ...each && rival
        ? [target('Redis, `storeCheckSeconds: 0`, against `@fastify/session` over the same', each, rival, 1.2)]
        : [],
      ...seldom ? [target('Redis, `storeCheckSeconds: 30`, against ours without a store', seldom, base, 0.9)] : []
    ]
  }

  return {
    title: 'Stores',
    text: 'The guarded route with login records. CPU time is that of the Node process alone, without the database\'s.' +
      (absent.length === 0 ? '' : ` Not there, and left out: ${[...new Set(absent)].join(', ')}.`),
    head: ['', 'CPU per request', 'against ours without a store', 'by throughput', 'requests/s'],
    rows: [...results.values()].map((result) => [
      result.title, micros(cpuOf(result)), times(byCpu(result, base)), times(byThroughput(result, base)),
      whole(perSecondOf(result))
    ]),
    targets: targets('redis')
  }
}

const memory: MakeTable = async (quick) => {
  const batch = quick ? 5000 : 20_000
  const total = quick ? 10_000 : 1_000_000
  const load = new Helper('./load.ts')
  const server = new Server({ name: 'guarded' }, ['--expose-gc'])
  const minter = new Server({ name: 'guarded' })
  await server.listen()
  const heaps: number[] = []

  const visit = async (cookies: string[]) => {
    await load.ask('visit', { key: 'guarded', port: server.port, cookies })
    await load.ask('slice', { key: 'guarded', connections: CONNECTIONS, amount: cookies.length })
  }
  const mintBatch = async () =>
    (await minter.ask<string[][]>('logIn', { amount: batch, remember: false }))
      .map(([line]) => line!.slice(0, line!.indexOf(';')))

  // Warm, with one session: what code and connections take is no growth.
  await visit(new Array(batch).fill((await mintBatch())[0]))
  heaps.push(await server.ask<number>('heap'))
  let next = mintBatch()
  for (let seen = batch; seen <= total; seen += batch) {
    note(`${seen} sessions`)
    const cookies = await next
    if (seen < total) next = mintBatch()
    // Twice, as a token is kept from its second request on.
    await visit([...cookies, ...cookies])
    heaps.push(await server.ask<number>('heap'))
  }
  note('')
  await Promise.all([load.stop(), server.stop(), minter.stop()])

  const grown = (index: number) => (heaps[index]! - heaps[0]!) / 1e6
  const shown = new Set([1, Math.round(heaps.length / 2), heaps.length - 1])
  return {
    title: 'Memory',
    text: 'Heap of the server after garbage collection, over that of a warm server with one session; ' +
      '`verifiedCacheSize` is the default 10 000. Every session comes twice.',
    head: ['distinct sessions seen', 'growth of the heap'],
    rows: [...shown].map((index) => [whole(index * batch), `${grown(index).toFixed(1)} MB`]),
    targets: quick
      ? []
      : [{
          work: 'heap growth after a million distinct sessions',
          floor: 30,
          aim: 30,
          measured: grown(heaps.length - 1),
          unit: 'MB'
        }]
  }
}

const startup: MakeTable = async (quick) => {
  const script = fileURLToPath(new URL('./startup.js', import.meta.url))
  const run = promisify(execFile)
  const runs = quick ? 3 : 15
  const titles = {
    cookie: '`@fastify/cookie` only', import: '**fastify-login**, `import`', require: '**fastify-login**, `require`'
  }
  const kinds = Object.keys(titles) as (keyof typeof titles)[]
  const spent = Object.fromEntries(kinds.map((kind) => [kind, [] as { load: number, register: number, cpu: number }[]]))
  for (let time = 0; time < runs; time++) {
    note(`start ${time + 1} of ${runs}`)
    for (const kind of kinds) {
      const { stdout } = await run(process.execPath, [script, kind])
      spent[kind]!.push(JSON.parse(stdout))
    }
  }
  note('')
  const of = (kind: string, part: 'load' | 'register' | 'cpu') => median(spent[kind]!.map((start) => start[part]))
  const ms = (value: number) => `${value.toFixed(1)} ms`

  return {
    title: 'Start',
    text: `In an application that has loaded Fastify already, medians of ${runs} processes. ` +
      'Ours loads and registers `@fastify/cookie` too.',
    head: ['', 'load', 'register', 'CPU time of both'],
    rows: kinds.map((kind) => [titles[kind], ms(of(kind, 'load')), ms(of(kind, 'register')), ms(of(kind, 'cpu'))]),
    targets: [{
      work: 'import of the package after Fastify', floor: 60, aim: 60, measured: of('import', 'load'), unit: 'ms'
    }]
  }
}

const sizes: MakeTable = async () => {
  const entrants: (Entrant & { remember: boolean })[] = [
    { name: 'guarded', remember: true },
    {
      name: 'guarded',
      title: '**fastify-login**, `userStamp` and `sessionProtection`',
      settings: { digests: true },
      remember: true
    },
    { name: 'secureSession', remember: false },
    { name: 'session', remember: false },
    { name: 'jwt', remember: false }
  ]
  const rows: string[][] = []
  for (const { remember, ...entrant } of entrants) {
    const server = new Server(entrant)
    const [lines] = await server.ask<string[][]>('logIn', { amount: 1, remember })
    for (const line of lines!) {
      const cookie = line.slice(0, line.indexOf(';'))
      rows.push([
        server.title, `\`${cookie.slice(0, cookie.indexOf('='))}\``, String(cookie.length), String(line.length)
      ])
    }
    await server.stop()
  }
  return {
    title: 'Bytes in the cookies',
    text: 'Of a user with the id `u0` and no other values: what a browser sends (name and value), and the ' +
      '`Set-Cookie` line.',
    head: ['', 'cookie', 'sent', 'set'],
    rows
  }
}

/** Not among the tables of a plain run: where the time goes. */
const profile: MakeTable = async (quick) => {
  const rows: string[][] = []
  const cases: { name: Name, title: string, cold?: boolean }[] = [
    { name: 'cookie', title: '`@fastify/cookie` only' },
    { name: 'unguarded', title: 'unguarded' },
    { name: 'guarded', title: 'guarded' },
    { name: 'guarded', title: 'guarded, tokens never seen before', cold: true }
  ]
  const ms = quick ? 1000 : 4000
  for (const { name, title, cold = false } of cases) {
    note(title)
    const load = new Helper('./load.ts')
    const server = new Server({ name })
    await server.listen()
    const amount = quick ? 20_000 : 60_000
    const slice = (given: { ms: number } | { amount: number }) =>
      load.ask('slice', { key: name, connections: CONNECTIONS, ...given })
    if (cold) {
      await load.ask('visit', { key: name, port: server.port, cookies: await mint(new Server({ name }), 2 * amount) })
    } else {
      await signedIn(server, load)
    }
    await slice(cold ? { amount: amount - CONNECTIONS } : { ms })
    await server.ask('beginProfile')
    await slice(cold ? { amount: amount - CONNECTIONS } : { ms })
    const times = await server.ask<SelfTime[]>('endProfile')
    await Promise.all([load.stop(), server.stop()])
    for (const { group, share, functions } of grouped(times)) {
      rows.push([title, group, `${(share * 100).toFixed(1)} %`, functions])
    }
  }
  note('')
  return {
    title: 'Profile',
    text: 'Self time by file, of all time that was not idle, with the functions that take most of it.',
    head: ['', 'where', 'share', 'most of it'],
    rows
  }
}

function grouped (times: SelfTime[]) {
  const groups = new Map<string, SelfTime[]>()
  for (const time of times) groups.set(time.file, [...groups.get(time.file) ?? [], time])
  return [...groups].map(([group, list]) => ({
    group,
    share: list.reduce((sum, { share }) => sum + share, 0),
    functions: list.slice(0, 5).map(({ name, share }) => `${name} ${(share * 100).toFixed(1)}`).join(', ')
  })).filter(({ share }) => share >= 0.002).sort((a, b) => b.share - a.share)
}

export const tables = { hot, cold, users, logins, stores: storesTable, memory, startup, sizes, profile }
