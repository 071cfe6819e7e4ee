/** Edits between two words: a swap of neighbours, an insertion, a deletion or a substitution counts one. */
function editDistance (a: string, b: string): number {
  let older: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1
      let edits = Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + same)
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        edits = Math.min(edits, older[column - 2]! + 1)
      }
      current.push(edits)
    }
    older = previous
    previous = current
  }
  return previous[b.length]!
}

const folded = (word: string) => word.toLowerCase().replace(/[-_]/g, '')

/** The known word that `word` was probably meant to be, or `undefined` where it resembles none. */
export function nearest (word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, edits: editDistance(folded(word), folded(candidate)) }))
    .sort((a, b) => a.edits - b.edits)
  const best = ranked[0]
  if (best === undefined) return undefined
  return best.edits <= Math.max(1, Math.floor(best.candidate.length / 4)) ? best.candidate : undefined
}
