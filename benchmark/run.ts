// npm run bench [-- [--quick] [table ...]], the tables being those of tables.ts. Markdown on stdout.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { tables } from './tables.js'
import type { Table, Target } from './tables.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const known = Object.keys(tables) as (keyof typeof tables)[]
const { values: { quick }, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false } }, allowPositionals: true
})
const unknown = positionals.filter((name) => !Object.hasOwn(tables, name))
if (unknown.length > 0) {
  console.error(`No table ${unknown.join(', ')}. There are ${known.join(', ')}.`)
  process.exit(1)
}
const chosen = positionals.length > 0 ? positionals as typeof known : known.filter((name) => name !== 'profile')

buildIfStale()
console.log(heading())
const targets: Target[] = []
for (const name of chosen) {
  const table = await tables[name](quick)
  console.log(`\n## ${table.title} (\`${name}\`)\n\n${table.text}\n\n${markdown(table)}`)
  targets.push(...table.targets ?? [])
}
if (targets.length > 0) console.log(`\n## Targets\n\n${markdown(comparison(targets))}`)

/** The servers run what users run: the built package. */
function buildIfStale (): void {
  const changed = (directory: string) => {
    const files = readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' })
    return Math.max(...files.map((file) => statSync(join(root, directory, file)).mtimeMs))
  }
  let built = 0
  try {
    built = changed('dist')
  } catch {} // there is none yet
  if (built < changed('src')) execFileSync('npx', ['tshy'], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
}

function heading (): string {
  const versionOf = (name: string) =>
    JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version as string
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version as string
  const packages = [
    'fastify', '@fastify/cookie', '@fastify/secure-session', '@fastify/session', '@fastify/passport', '@fastify/jwt',
    'fast-jwt', 'autocannon'
  ]
  const [cpu] = cpus()
  return [
    `# fastify-login ${own}, ${new Date().toISOString().slice(0, 10)}${quick ? ' (quick: a first impression)' : ''}`,
    '',
    `Node ${process.versions.node}, ${packages.map((name) => `${name} ${versionOf(name)}`).join(', ')}.`,
    `${cpu?.model.trim() ?? 'unknown CPU'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GB, ` +
    `${process.platform} ${process.arch}.`,
    '',
    'CPU is the time of the server process (user and system). Ratios are medians of the ratios per round, by CPU time',
    'unless they say "by throughput"; more than 1 is better. 20 keep-alive connections from one other process.'
  ].join('\n')
}

function markdown ({ head, rows }: Pick<Table, 'head' | 'rows'>): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, column) => column === 0 ? '---' : '---:')), ...rows.map(line)].join('\n')
}

function comparison (targets: readonly Target[]) {
  return {
    head: ['', 'floor', 'aim', 'measured', 'by throughput', ''],
    rows: targets.map(({ work, floor, aim, measured, throughput, unit }) => {
      const show = (value: number) => `${value.toFixed(unit === '×' ? 2 : 0)} ${unit}`
      const reaches = (goal: number) => unit === '×' ? measured >= goal : measured <= goal
      const verdict = reaches(aim) ? 'aim reached' : reaches(floor) ? 'floor reached' : '**missed**'
      return [work, show(floor), show(aim), show(measured), throughput === undefined ? '' : show(throughput), verdict]
    })
  }
}
