import { Cluster } from 'ioredis'
import { createCluster } from 'redis'
import t from 'tap'
import { redisStore } from '../../src/index.js'
import { create, newRecord, newUser, NOW } from './contract/fixtures.js'
import { storeContract } from './contract.js'
import { canStartRedis, startCluster } from '../support/stores/redis-cluster.js'

t.test('on a Redis Cluster', { skip: canStartRedis() ? false : 'no redis-server' }, async (t) => {
  const ports = await startCluster(t)
  const ioredis = new Cluster(ports.map((port) => ({ host: '127.0.0.1', port })))
  const nodeRedis = createCluster({ rootNodes: ports.map((port) => ({ url: `redis://127.0.0.1:${port}` })) })
  await nodeRedis.connect()
  t.teardown(() => Promise.all([ioredis.quit(), nodeRedis.close()]))

  t.test('over ioredis', (t) => {
    storeContract(t, () => redisStore(ioredis))
    t.end()
  })

  t.test('over node-redis', (t) => {
    storeContract(t, () => redisStore(nodeRedis))
    t.end()
  })

  t.test('the users are spread over all nodes, and both clients find them', async (t) => {
    const [one, other] = [redisStore(ioredis, { prefix: 'spread:' }), redisStore(nodeRedis, { prefix: 'spread:' })]
    for (let i = 0; i < 100; i++) {
      const record = newRecord(newUser())
      await create(i % 2 === 0 ? one : other, record)
      t.strictSame(await (i % 2 === 0 ? other : one).find(record, record.sid, NOW), record)
    }
    for (const node of ioredis.nodes('master')) t.ok((await node.keys('spread:*')).length > 0)
  })
})
