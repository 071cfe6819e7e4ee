import Fastify from 'fastify'
import { Redis } from 'ioredis'
import pg from 'pg'
import { fastifyLogin, redisStore, sqlStore } from '../../../src/index.js'
import { SECRET } from '../tokens.js'
import { people } from '../users.js'
import { servers } from '../servers.js'

/** One process of an application over a real store; `STORE` says which, `NAME` where in there. */
const { STORE, NAME } = process.env
const { byId, userLoader } = people()

function openStore () {
  if (STORE === 'Redis') return redisStore(new Redis(servers.Redis), { prefix: NAME })
  const pool = new pg.Pool({ connectionString: servers.PostgreSQL, max: 5 })
  return sqlStore({ dialect: 'postgres', table: NAME, query: (text, params) => pool.query(text, params) })
}

const app = Fastify({ forceCloseConnections: true })
await app.register(fastifyLogin, { secret: SECRET, userLoader, store: openStore(), rememberGraceSeconds: 20 })
app.get('/who', async (request) => {
  const user = await request.getCurrentUser<{ id: string }>()
  return { user: user?.id ?? null, ...request.loginState }
})
app.post('/login', (_request, reply) => reply.loginUser(byId.get('ann')!, { remember: true }))
app.post('/logout', async (_request, reply) => {
  await reply.logoutUser()
  return 'bye'
})
console.log(`Listening at ${await app.listen({ port: 0, host: '127.0.0.1' })}`)
