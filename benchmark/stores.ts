import { RedisStore } from 'connect-redis'
import type { FastifyInstance } from 'fastify'
import { memoryStore, redisStore, sqlStore } from 'fastify-login'
import { Redis } from 'ioredis'
import pg from 'pg'
import { createClient } from 'redis'
import { isThere, servers } from '../test/servers.js'
import type { Server } from '../test/servers.js'

const NAME = 'fastify_login_bench'

/** What keeps login records, or the sessions of `@fastify/session`; each leaves nothing behind when the application closes. */
const stores = {
  memory: { needs: undefined, open: async () => memoryStore() },

  redis: {
    needs: 'Redis',
    async open (app: FastifyInstance) {
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
