import type { FastifyInstance } from 'fastify'

export type StoreName = 'memory' | 'redis' | 'postgres' | 'connectRedis'

export async function openStore (_name: StoreName, _app: FastifyInstance): Promise<unknown> {
  throw new Error('todo')
}
