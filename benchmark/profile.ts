import type { Profiler } from 'node:inspector'

export interface SelfTime { file: string, name: string, share: number }

/** Self time by function, as a share of all time that was not idle. */
export function selfTimes ({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): SelfTime[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const micros = new Map<string, { file: string, name: string, micros: number }>()
  let total = 0
  samples.forEach((id, index) => {
    const { functionName, url, lineNumber } = byId.get(id)!.callFrame
    if (functionName === '(idle)') return
    const file = fileOf(url)
    const name = functionName === '' ? `function in line ${lineNumber + 1}` : functionName
    const key = `${file} ${name}`
    const entry = micros.get(key) ?? { file, name, micros: 0 }
    entry.micros += timeDeltas[index]!
    total += timeDeltas[index]!
    micros.set(key, entry)
  })
  return [...micros.values()].map(({ file, name, micros }) => ({ file, name, share: micros / total }))
    .sort((a, b) => b.share - a.share)
}

/** Within a package `fastify/lib/reply.js`, here `dist/esm/session.js`, else the module of Node, or V8 itself. */
function fileOf (url: string): string {
  if (url === '') return 'V8'
  if (!url.startsWith('file:')) return url.slice(url.lastIndexOf('/node_modules/') + 1).replace('node_modules/', '')
  const path = new URL(url).pathname
  const modules = path.lastIndexOf('/node_modules/')
  if (modules !== -1) return path.slice(modules + '/node_modules/'.length)
  const root = new URL('..', import.meta.url).pathname
  return path.startsWith(root) ? path.slice(root.length) : path
}
