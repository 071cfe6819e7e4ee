import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'

/** The house from the roof down; a file imports from its own floor or from below. See CONTRIBUTING.md. */
const FLOORS = [
  'index', 'fastify-login', 'jwt-session', 'fastify', 'login', 'guards', 'visit', 'area', 'events', 'session',
  'cookies', 'options', 'stores', 'http', 'tokens', 'errors'
]

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
const floorOf = (file: string) => FLOORS.indexOf(file.split('/')[0]!.replace(/\.ts$/, ''))

function importsOf (file: string): string[] {
  const specifiers = readFileSync(join('src', file), 'utf8').matchAll(/(?:from|import) '(\.[^']+)\.js'/g)
  return [...specifiers].map(([, specifier]) => `${normalize(join(dirname(file), specifier!))}.ts`)
}

t.test('every file of src stands on a floor of the house', async (t) => {
  t.strictSame(files.filter((file) => floorOf(file) === -1), [], 'say in FLOORS where these stand')
})

t.test('imports go down, so that where something comes from is found by going down', async (t) => {
  const up = files.flatMap((file) => importsOf(file)
    .filter((imported) => floorOf(imported) < floorOf(file))
    .map((imported) => `${file} imports ${imported} from above it: what it needs belongs on its own floor, or lower`))
  t.strictSame(up, [])
})

t.test('no file imports itself in a circle', async (t) => {
  const known = new Set<string>()
  const circleFrom = (path: readonly string[]): readonly string[] => {
    const file = path.at(-1)!
    if (path.indexOf(file) < path.length - 1) return path.slice(path.indexOf(file))
    if (known.has(file)) return []
    const circle = importsOf(file).map((imported) => circleFrom([...path, imported])).find(({ length }) => length > 0)
    known.add(file)
    return circle ?? []
  }
  const circle = files.map((file) => circleFrom([file])).find(({ length }) => length > 0) ?? []
  t.strictSame(circle, [], 'what both ends need belongs into a file below them')
})
