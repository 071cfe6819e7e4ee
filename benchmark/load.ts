import autocannon from 'autocannon'
import { answer } from './processes.js'

// The process that asks. Requests are written out before a slice begins, and sent as they are.

interface Target {
  port: number
  requests: Buffer[]
  /** The next request; goes on from slice to slice, so that no token of a cold run comes twice. */
  next: number
}

const targets = new Map<string, Target>()

answer({
  /** Signs users in over HTTP, one login each. */
  async logIn ({ port, users }: { port: number, users: number }) {
    const cookies: string[] = []
    for (let index = 0; index < users; index++) {
      const response = await fetch(`http://127.0.0.1:${port}/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id: `u${index}`, remember: false })
      })
      cookies.push(response.headers.getSetCookie().map((line) => line.slice(0, line.indexOf(';'))).join('; '))
    }
    return cookies
  },

  /** What `/me` says to the holder of each cookie: a user's id, or the status. */
  async whoAmI ({ port, cookies }: { port: number, cookies: (string | null)[] }) {
    const told: (string | number)[] = []
    for (const cookie of cookies) {
      const response = await fetch(`http://127.0.0.1:${port}/me`, cookie === null ? {} : { headers: { cookie } })
      told.push(response.ok ? (await response.json() as { id: string }).id : response.status)
    }
    return told
  },

  visit ({ key, port, cookies }: { key: string, port: number, cookies: (string | null)[] }) {
    const requests = cookies.map((cookie) => request(port, 'GET /me', cookie === null ? [] : [`Cookie: ${cookie}`]))
    targets.set(key, { port, requests, next: 0 })
  },

  enter ({ key, port, users, remember }: { key: string, port: number, users: number, remember: boolean }) {
    const requests = Array.from({ length: users }, (_, index) => {
      const body = JSON.stringify({ id: `u${index}`, remember })
      return request(port, 'POST /login', ['Content-Type: application/json', `Content-Length: ${body.length}`], body)
    })
    targets.set(key, { port, requests, next: 0 })
  },

  /** Load for so many milliseconds, or of so many requests. */
  async slice ({ key, connections, ms, amount }: { key: string, connections: number, ms?: number, amount?: number }) {
    const target = targets.get(key)!
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
    if (result.non2xx > 0 || result.errors > 0) {
      throw new Error(`${key}: ${result.non2xx} refusals, ${result.errors} errors`)
    }
    return { seconds, answered: result['2xx'] }
  }
})

function request (port: number, line: string, headers: string[], body = ''): Buffer {
  return Buffer.from([
    `${line} HTTP/1.1`, `Host: 127.0.0.1:${port}`, 'Connection: keep-alive', ...headers, '', body
  ].join('\r\n'))
}
