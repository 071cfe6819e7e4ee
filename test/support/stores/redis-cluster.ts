import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { Redis } from 'ioredis'
import type { Test } from 'tap'

/** Whether this machine can start a Redis of its own. */
export function canStartRedis (): boolean {
  return spawnSync('redis-server', ['--version']).status === 0
}

const NODES = 3
const SLOTS = 16_384

/** Three Redis processes in one cluster, in a directory of the test; they end with it. Answers with their ports. */
export async function startCluster (t: Test): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < NODES) ports.push(await freePort(ports))
  const dir = t.testdir(Object.fromEntries(ports.map((port) => [port, {}])))
  const nodes = await Promise.all(ports.map((port) => startNode(t, port, `${dir}/${port}`)))

  for (const [i, node] of nodes.entries()) {
    const [from, to] = [Math.ceil(SLOTS * i / NODES), Math.ceil(SLOTS * (i + 1) / NODES)]
    await node.cluster('SET-CONFIG-EPOCH', i + 1)
    await node.cluster('ADDSLOTS', ...Array.from({ length: to - from }, (_, slot) => from + slot))
  }
  for (const port of ports.slice(1)) await nodes[0]!.cluster('MEET', '127.0.0.1', port)
  const complete = /cluster_state:ok\r\n[^]*cluster_slots_ok:16384\r\n[^]*cluster_known_nodes:3\r\n/
  for (const node of nodes) await until(async () => complete.test(await node.cluster('INFO')))
  return ports
}

async function startNode (t: Test, port: number, dir: string): Promise<Redis> {
  const server = spawn('redis-server', [
    '--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no',
    '--cluster-enabled', 'yes', '--cluster-node-timeout', '5000'
  ], { stdio: 'ignore' })
  const ended = once(server, 'exit')
  const client = new Redis({ port, retryStrategy: () => 50, maxRetriesPerRequest: null })
  // Refused until the server listens.
  client.on('error', () => {})
  t.teardown(async () => {
    client.disconnect()
    server.kill()
    await ended
  })
  await until(async () => await client.ping() === 'PONG')
  return client
}

/** A port that is free, and so is the one 10000 above it, where the nodes of a cluster talk. */
async function freePort (taken: number[]): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 15_000)
    if (!taken.includes(port) && await isFree(port) && await isFree(port + 10_000)) return port
  }
}

async function isFree (port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  const free = await Promise.race([once(server, 'listening').then(() => true), once(server, 'error').then(() => false)])
    .catch(() => false)
  if (free) await new Promise((resolve) => server.close(resolve))
  return free
}

async function until (ready: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; !await ready(); attempt++) {
    if (attempt === 400) throw new Error('the cluster did not come up')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
