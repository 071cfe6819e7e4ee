import { spawn } from 'node:child_process'
import type { Test } from 'tap'

/** A program that prints `Listening at <address>`, started as a process of its own, and stopped with the test. */
export async function start (
  t: Test, file: string, env: Record<string, string> = {}
): Promise<{ address: string, output: () => string }> {
  const { NODE_OPTIONS, NODE_ENV, SESSION_SECRET, ...inherited } = process.env
  // Without tap's measurements: they are for the sources, and this runs what is built from them.
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
    env: { ...inherited, _TAPJS_PROCESSINFO_COVERAGE_: '0', PORT: '0', ...env }
  })
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill()
    await new Promise((resolve) => child.once('exit', resolve))
  })
  let output = ''
  const address = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
        const found = /Listening at (http:\S+)\n/.exec(output)
        if (found !== null) resolve(found[1]!)
      })
    }
    child.once('error', reject).once('exit', () => reject(new Error(`${file} ended before it listened:\n${output}`)))
  })
  return { address, output: () => output }
}
