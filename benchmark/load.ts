import autocannon from 'autocannon'
import { answer } from './processes.js'

// The process that asks. Requests are written out before a slice begins and sent as they are.

interface Target {
  port: number
  requests: Buffer[]
  /** The next request; goes on from slice to slice, so that no token of a cold run comes twice. */
  next: number
}

const targets = new Map<string, Target>()

answer({
  /** Signs users in over HTTP, one login each, and makes sure that everybody is who they should be. */
  async logIn ({ name, port, users }: { name: string, port: number, users: number }) {
    const cookies: string[] = []
    for (let index = 0; index < users; index++) {
      const response = await fetch(`http://127.0.0.1:${port}/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id: `u${index}`, remember: false })
      })
      cookies.push(response.headers.getSetCookie().map((line) => line.slice(0, line.indexOf(';'))).join('; '))
    }
    targets.set(name, { port, requests: cookies.map((cookie) => getRequest(port, cookie)), next: 0 })
    return cookies
  },

  /** What `/me` says to the holder of each cookie. */
  async ask ({ port, cookies }: { port: number, cookies: (string | null)[] }) {
    const told: unknown[] = []
    for (const cookie of cookies) {
      const response = await fetch(`http://127.0.0.1:${port}/me`, cookie === null ? {} : { headers: { cookie } })
      told.push(response.ok ? await response.json() : response.status)
    }
    return told
  },

  use ({ name, port, cookies }: { name: string, port: number, cookies: (string | null)[] }) {
    targets.set(name, { port, requests: cookies.map((cookie) => getRequest(port, cookie)), next: 0 })
  },

  useLogins ({ name, port, users, remember }: { name: string, port: number, users: number, remember: boolean }) {
    const requests = Array.from({ length: users }, (_, index) => postRequest(port, JSON.stringify({ id: `u${index}`, remember })))
    targets.set(name, { port, requests, next: 0 })
  },

  /** Load for so many milliseconds, or of so many requests. */
  async slice ({ name, connections, ms, amount }: { name: string, connections: number, ms?: number, amount?: number }) {
    const target = targets.get(name)!
    const started = performance.now()
    const result = await autocannon({
      url: `http://127.0.0.1:${target.port}`,
      connections,
      sampleInt: 10,
      ...amount === undefined ? { duration: ms! / 1000 } : { amount },
      setupClient (client) {
        (client as unknown as { getRequestBuffer: () => Buffer }).getRequestBuffer = () => {
          if (target.next === target.requests.length) target.next = 0
          return target.requests[target.next++]!
        }
      }
    })
    const seconds = (performance.now() - started) / 1000
    if (result.non2xx > 0 || result.errors > 0) throw new Error(`${name}: ${result.non2xx} refusals, ${result.errors} errors`)
    return { seconds, answered: result['2xx'] }
  }
})

function getRequest (port: number, cookie: string | null): Buffer {
  return Buffer.from(`GET /me HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: keep-alive\r\n${cookie === null ? '' : `Cookie: ${cookie}\r\n`}\r\n`)
}

function postRequest (port: number, body: string): Buffer {
  return Buffer.from(`POST /login HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: keep-alive\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}
