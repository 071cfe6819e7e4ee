import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** A Redis of the test's own, which can be halted, killed and started again over the same data. It ends with the test. */
export async function ownRedis (t: Test) {
  const dir = t.testdir({})
  const port = await freePort()
  const args = [
    '--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'yes', '--appendfsync',
    'always'
  ]

  async function launch () {
    const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] })
    server.stdout.setEncoding('utf8')
    for await (const text of server.stdout.iterator({ destroyOnReturn: false })) {
      if (String(text).includes('Ready to accept')) break
    }
    server.stdout.resume()
    return server
  }

  let server = await launch()
  const kill = async () => {
    const ended = once(server, 'exit')
    server.kill('SIGKILL')
    await ended
  }
  t.teardown(kill)
  return {
    port,
    halt: () => { server.kill('SIGSTOP') },
    resume: () => { server.kill('SIGCONT') },
    kill,
    restart: async () => { server = await launch() }
  }
}

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
