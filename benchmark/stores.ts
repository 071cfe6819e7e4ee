import type { FastifyInstance } from 'fastify'
import { isThere, servers } from '../test/support/servers.js'
import type { Server } from '../test/support/servers.js'

const NAME = 'fastify_login_bench'

/**
 * What keeps login records, or the sessions of `@fastify/session`. Drivers are loaded where they are used, and nothing is left
 * behind when the application closes.
 */
const stores = {
  memory: { needs: undefined, open: async () => (await import('fastify-login')).memoryStore() },

  redis: {
    needs: 'Redis',
    async open (app: FastifyInstance) {
      const { redisStore } = await import('fastify-login')
      const { Redis } = await import('ioredis')
      const client = new Redis(servers.Redis)
      const prefix = `${NAME}_${process.pid}:`
      app.addHook('onClose', async () => {
        const keys = await client.keys(`${prefix}*`)
        if (keys.length > 0) await client.del(keys)
        await client.quit()
      })
      return redisStore(client, { prefix })
    }
  },

  postgres: {
    needs: 'PostgreSQL',
    async open (app: FastifyInstance) {
      const { sqlStore } = await import('fastify-login')
      const { default: pg } = await import('pg')
      const pool = new pg.Pool({ connectionString: servers.PostgreSQL })
      const table = `${NAME}_${process.pid}`
      const store = sqlStore({ query: (text, params) => pool.query(text, params), dialect: 'postgres', table })
      await store.createTable()
      app.addHook('onClose', async () => {
        await pool.query(`DROP TABLE ${table}`)
        await pool.end()
      })
      return store
    }
  },

  connectRedis: {
    needs: 'Redis',
    async open (app: FastifyInstance) {
      const { RedisStore } = await import('connect-redis')
      const { createClient } = await import('redis')
      const client = createClient({ url: servers.Redis })
      await client.connect()
      const store = new RedisStore({ client, prefix: `${NAME}_${process.pid}:` })
      app.addHook('onClose', async () => {
        await store.clear()
        await client.quit()
      })
      return store
    }
  }
} satisfies { [name: string]: { needs: Server | undefined, open: (app: FastifyInstance) => Promise<unknown> } }

export type StoreName = keyof typeof stores

export function openStore (name: StoreName, app: FastifyInstance): Promise<unknown> {
  return stores[name].open(app)
}

/** The server this store would need and that is not there. */
export async function missingFor (name: StoreName): Promise<Server | undefined> {
  const { needs } = stores[name]
  return needs === undefined || await isThere(needs) ? undefined : needs
}
