/** A logger option that keeps what is logged, from `trace` up. */
export function captureLog () {
  const lines: string[] = []
  const stream = { write: (line: string) => { lines.push(line) } }
  return {
    logger: { level: 'trace', stream },
    text: () => lines.join(''),
    clear: () => { lines.length = 0 },
    entries: (level: 'debug' | 'warn' | 'error') => lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((entry) => entry.level === { debug: 20, warn: 40, error: 50 }[level])
  }
}
