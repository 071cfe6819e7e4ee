import { Redis } from 'ioredis'
import { createClient } from 'redis'
import t from 'tap'
import type { Test } from 'tap'
import { redisStore } from '../../src/index.js'
import type { IoredisClient, NodeRedisClient } from '../../src/index.js'
import { isThere, servers } from '../support/servers.js'
import { create, digestOf, HOUR, newRecord, newSid, newUser, NOW, ownerOf } from './contract/fixtures.js'
import { storeContract } from './contract.js'

const skip = await isThere('Redis') ? false : 'no Redis'
const MINUTE = 60_000

/** A client of each kind, and a prefix that is gone with the test. */
async function connect (t: Test) {
  const ioredis = new Redis(servers.Redis)
  const nodeRedis = createClient({ url: servers.Redis })
  await nodeRedis.connect()
  const prefix = `test ${newSid()}:`
  t.teardown(async () => {
    const keys = await ioredis.keys(`${prefix}*`)
    if (keys.length > 0) await ioredis.del(keys)
    await Promise.all([ioredis.quit(), nodeRedis.close()])
  })
  return { ioredis, nodeRedis, prefix, keys: () => ioredis.keys(`${prefix}*`) }
}

t.test('over ioredis', { skip }, async (t) => {
  const { ioredis, prefix } = await connect(t)
  storeContract(t, () => redisStore(ioredis, { prefix }))
})

t.test('over node-redis', { skip }, async (t) => {
  const { nodeRedis, prefix } = await connect(t)
  storeContract(t, () => redisStore(nodeRedis, { prefix }))
})

t.test('ioredis and node-redis each read what the other wrote', { skip }, async (t) => {
  const { ioredis, nodeRedis, prefix } = await connect(t)
  const record = newRecord(newUser(), { userAgent: 'é🦊/' })
  await create(redisStore(ioredis, { prefix }), record)
  t.strictSame(await redisStore(nodeRedis, { prefix }).list(record, NOW), [record])
})

t.test('every method of a Redis store is one command, with one key', { skip }, async (t) => {
  const { ioredis, nodeRedis, prefix } = await connect(t)
  const sent: string[][] = []
  const overIoredis: IoredisClient = {
    hget: (key, field) => { sent.push([key]); return ioredis.hget(key, field) },
    eval: (script, count, ...args) => { sent.push(args.slice(0, count)); return ioredis.eval(script, count, ...args) }
  }
  const overNodeRedis: NodeRedisClient = {
    hGet: (key, field) => { sent.push([key]); return nodeRedis.hGet(key, field) },
    eval: (script, options) => { sent.push(options.keys); return nodeRedis.eval(script, options) }
  }
  for (const client of [overIoredis, overNodeRedis]) {
    const store = redisStore(client, { prefix })
    const record = newRecord('}a{:b', { remember: true })
    const { userId, sid } = record
    const times = { lastSeenAt: NOW, expiresAt: NOW + HOUR, now: NOW }
    const methods = {
      create: () => store.create(record, { digest: digestOf('a'), maxLogins: 1, now: NOW }),
      find: () => store.find(ownerOf(userId), sid, NOW),
      touch: () => store.touch(ownerOf(userId), sid, times),
      rotate: () => store.rotate(ownerOf(userId), sid, { presented: digestOf('b'), next: digestOf('c'), graceSeconds: 1, ...times }),
      list: () => store.list(ownerOf(userId), NOW),
      delete: () => store.delete(ownerOf(userId), sid, NOW),
      deleteAll: () => store.deleteAll(ownerOf(userId), { except: null, now: NOW })
    }
    for (const [name, call] of Object.entries(methods)) {
      await call()
      t.strictSame(sent.splice(0), [[`${prefix}{["session","}a{:b"]}`]], name)
    }
  }
})

t.test('Redis drops a user\'s records a minute after the last one has expired', { skip }, async (t) => {
  const { ioredis, prefix, keys } = await connect(t)
  const store = redisStore(ioredis, { prefix })
  const userId = newUser()
  const remaining = async (expected: number, name: string) => {
    const ttl = await ioredis.pttl((await keys())[0]!)
    t.ok(ttl <= expected + MINUTE && ttl > expected + MINUTE - 20_000, `${name}: ${ttl} of ${expected + MINUTE} ms`)
  }
  const [short, long] = [newRecord(userId), newRecord(userId, { remember: true, expiresAt: NOW + 3 * HOUR })]
  await create(store, short)
  await remaining(HOUR, 'one record')
  await create(store, long, { digest: digestOf('first') })
  await remaining(3 * HOUR, 'one more that lives longer')
  await store.touch(ownerOf(userId), short.sid, { lastSeenAt: NOW + HOUR / 2, expiresAt: NOW + 2 * HOUR, now: NOW + HOUR / 2 })
  await remaining(2.5 * HOUR, 'the caller says when it is')
  const later = { lastSeenAt: NOW, expiresAt: NOW + 9 * HOUR, now: NOW + HOUR }
  await store.rotate(ownerOf(userId), long.sid, { presented: digestOf('first'), next: digestOf('second'), graceSeconds: 1, ...later })
  await remaining(8 * HOUR, 'a rotation that moves the end')
  await store.delete(ownerOf(userId), long.sid, NOW + HOUR)
  await remaining(HOUR, 'the one that lives longer is gone')
  await create(store, newRecord(userId, { expiresAt: NOW + 4 * HOUR }), { now: NOW + 2 * HOUR })
  t.equal(await ioredis.hlen((await keys())[0]!), 1, 'what has expired before leaves when the user is written to')
  await store.deleteAll(ownerOf(userId), { except: null, now: NOW + 2 * HOUR })
  t.strictSame(await keys(), [], 'nothing is left of a user without records')
})

t.test('a user with very many logins keeps them until the last expires, and few expired ones', { skip }, async (t) => {
  const { ioredis, prefix, keys } = await connect(t)
  const store = redisStore(ioredis, { prefix })
  const userId = newUser()
  const last = newRecord(userId, { expiresAt: NOW + 100 * HOUR })
  await create(store, last)
  for (let i = 0; i < 300; i++) {
    await create(store, newRecord(userId, { expiresAt: NOW + i * 1000 + 5000 }), { now: NOW + i * 1000 })
  }
  const fields = await ioredis.hlen((await keys())[0]!)
  t.ok(fields < 50, `${fields} records, 6 of them live`)
  t.ok(await ioredis.pttl((await keys())[0]!) > 99 * HOUR, 'none of them cuts the longest short')
})

t.test('stores with different prefixes do not see each other', { skip }, async (t) => {
  const { ioredis, prefix } = await connect(t)
  const [one, other] = [
    redisStore(ioredis, { prefix: `${prefix}one:` }), redisStore(ioredis, { prefix: `${prefix}other:` })
  ]
  const record = newRecord(newUser())
  await create(one, record)
  t.equal(await other.find(record, record.sid, NOW), null)
  t.strictSame(await other.deleteAll(record, { except: null, now: NOW }), [])
  t.strictSame(await one.find(record, record.sid, NOW), record)
})

t.test('a Redis that fails is an error of every method, never an answer', async (t) => {
  const failure = new Error('connection lost')
  const fail = () => Promise.reject(failure)
  for (const client of [{ hget: fail, eval: fail }, { hGet: fail, eval: fail }]) {
    const store = redisStore(client)
    const times = { lastSeenAt: NOW, expiresAt: NOW, now: NOW }
    await t.rejects(create(store, newRecord('ann')), failure)
    await t.rejects(store.find(ownerOf('ann'), 'sid', NOW), failure)
    await t.rejects(store.touch(ownerOf('ann'), 'sid', times), failure)
    await t.rejects(store.rotate(ownerOf('ann'), 'sid', { presented: 'a', next: 'b', graceSeconds: 1, ...times }), failure)
    await t.rejects(store.list(ownerOf('ann'), NOW), failure)
    await t.rejects(store.delete(ownerOf('ann'), 'sid', NOW), failure)
    await t.rejects(store.deleteAll(ownerOf('ann'), { except: null, now: NOW }), failure)
  }
})

t.test('something that is no Redis client is refused at once', async (t) => {
  for (const client of [{}, { get: () => {}, set: () => {} }]) {
    t.throws(() => redisStore(client as unknown as IoredisClient), { code: 'FST_LOGIN_INVALID_OPTIONS' })
  }
})
