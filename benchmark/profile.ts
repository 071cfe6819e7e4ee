import type { Profiler } from 'node:inspector'

export interface Spent { place: string, what: string, share: number }

/** Self time by function, as a share of what was not idle. */
export function summary ({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Spent[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const spent = new Map<string, number>()
  let total = 0
  samples.forEach((id, index) => {
    const { functionName, url, lineNumber } = byId.get(id)!.callFrame
    if (functionName === '(idle)') return
    const micros = timeDeltas[index]!
    total += micros
    const what = functionName === '' ? `(anonymous:${lineNumber + 1})` : functionName
    const key = `${placeOf(url)}\t${what}`
    spent.set(key, (spent.get(key) ?? 0) + micros)
  })
  return [...spent].map(([key, micros]) => {
    const [place, what] = key.split('\t') as [string, string]
    return { place, what, share: micros / total }
  }).sort((a, b) => b.share - a.share)
}

/** A file of this package, the name of another package, a module of Node, or V8 itself. */
function placeOf (url: string): string {
  if (url === '') return 'V8'
  const modules = url.lastIndexOf('/node_modules/')
  if (modules === -1) return url.startsWith('node:') ? url : url.split('/').slice(-3).join('/')

  return url.slice(modules + "/node_modules/".length)
}
