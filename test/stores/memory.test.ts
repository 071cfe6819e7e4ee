import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { memoryStore } from '../../src/index.js'
import { create, HOUR, newRecord, newSid, NOW, ownerOf } from './contract/fixtures.js'
import { storeContract } from './contract.js'

storeContract(t, () => memoryStore())

t.test('two memory stores share nothing', async (t) => {
  const record = newRecord('ann')
  await create(memoryStore(), record)
  t.strictSame(await memoryStore().list(ownerOf('ann'), NOW), [])
})

t.test('a record that has expired leaves the memory at the next call, whichever that is', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const megabytes = () => {
    collect()
    return process.memoryUsage().heapUsed / 1e6
  }
  const calls: Array<(store: ReturnType<typeof memoryStore>, now: number) => unknown> = [
    (store, now) => store.find(ownerOf('nobody'), 'none', now),
    (store, now) => store.list(ownerOf('nobody'), now),
    (store, now) => create(store, newRecord('late', { expiresAt: now + HOUR }), { now })
  ]
  for (const call of calls) {
    const store = memoryStore()
    const before = megabytes()
    for (let i = 0; i < 20_000; i++) await create(store, newRecord(i, { userAgent: newSid().repeat(10) }))
    t.ok(megabytes() - before > 6, 'they were there')
    await call(store, NOW + HOUR)
    t.ok(megabytes() - before < 2, 'they are gone')
    t.strictSame(await store.list(ownerOf(0), NOW), [], 'and the store is not')
  }
})

t.test('nothing in a memory store keeps the process alive', async (t) => {
  const active = () =>
    process.getActiveResourcesInfo().filter((name) => name === 'Timeout' || name === 'Immediate').length
  const before = active()
  const store = memoryStore()
  await create(store, newRecord('ann'))
  await store.list(ownerOf('ann'), NOW)
  t.equal(active(), before)
})
