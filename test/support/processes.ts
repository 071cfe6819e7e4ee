import { spawn } from 'node:child_process'
import type { Test } from 'tap'

/** A program that prints `Listening at <address>`, started as a process of its own, and stopped with the test. */
export async function start (t: Test, file: string, env: Record<string, string> = {}): Promise<{ address: string, output: () => string }> {
  const { NODE_OPTIONS, NODE_ENV, SESSION_SECRET, ...inherited } = process.env
  // Without tap's measurements: they are for the sources, and this runs what is built from them.
  const child = spawn(process.execPath, ['--import', 'tsx', file], { env: { ...inherited, _TAPJS_PROCESSINFO_COVERAGE_: '0', PORT: '0', ...env } })
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

interface Cookie { value: string, attributes: Record<string, string | true> }
export interface Answer { status: number, location: string | null, text: string, set: Record<string, Cookie>, headers: Headers }

/** A browser over real HTTP: follows no redirect, keeps cookies, forgets what was cleared. */
export class HttpBrowser {
  jar = new Map<string, Cookie>()

  constructor (private readonly address: string) {}

  async send (path: string, init: RequestInit = {}): Promise<Answer> {
    const cookie = [...this.jar].map(([name, { value }]) => `${name}=${value}`).join('; ')
    const headers = { accept: 'text/html', ...cookie === '' ? {} : { cookie } }
    const response = await fetch(new URL(path, this.address), { redirect: 'manual', headers, ...init })
    const lines = response.headers.getSetCookie().map(parse)
    const set = Object.fromEntries(lines)
    if (lines.length !== Object.keys(set).length) throw new Error('two Set-Cookie lines have one name')
    for (const [name, cookie] of lines) {
      if (cookie.attributes['Max-Age'] === '0') this.jar.delete(name)
      else this.jar.set(name, cookie)
    }
    return { status: response.status, location: response.headers.get('location'), text: await response.text(), set, headers: response.headers }
  }

  submit (path: string, fields: Record<string, string> = {}): Promise<Answer> {
    return this.send(path, { method: 'POST', body: new URLSearchParams(fields) })
  }

  /** Session cookies go, those with a lifetime stay. */
  close (): void {
    for (const [name, { attributes }] of this.jar) if (attributes['Max-Age'] === undefined) this.jar.delete(name)
  }
}

function parse (line: string): [string, Cookie] {
  const [pair = '', ...rest] = line.split('; ')
  const attributes = rest.map((attribute) => attribute.split('=')).map(([name, value]) => [name, value ?? true])
  const at = pair.indexOf('=')
  return [pair.slice(0, at), { value: pair.slice(at + 1), attributes: Object.fromEntries(attributes) }]
}
