import { Redis } from 'ioredis'
import t from 'tap'
import type { Test } from 'tap'
import { redisStore } from '../../src/index.js'
import { setCookies } from '../support/browser.js'
import type { Browser } from '../support/browser.js'
import { comeBack, siteOverStore } from '../support/stores/over-store.js'
import { ownRedis } from '../support/stores/own-redis.js'
import { canStartRedis } from '../support/stores/redis-cluster.js'

/** Ann on two devices, over a Redis that can fail. */
async function household (t: Test) {
  const redis = await ownRedis(t)
  const client = new Redis(redis.port, '127.0.0.1', {
    maxRetriesPerRequest: 0, enableOfflineQueue: false, retryStrategy: () => 20, lazyConnect: true
  })
  client.on('error', () => {})
  await client.connect()
  t.teardown(() => client.disconnect())
  const made = await siteOverStore({ store: redisStore(client) })
  const [laptop, phone, tablet] = [made.visitor(), made.visitor(), made.visitor()]
  for (const browser of [laptop, phone, tablet]) {
    made.clock.advance(1)
    await browser.signIn(made.user('ann'), { remember: true })
  }
  phone.close()
  return { ...made, redis, client, laptop, phone, tablet }
}

type Household = Awaited<ReturnType<typeof household>>

/** Whatever is asked now is a 503 with a cause, and changes no cookie. */
async function findsItDown (
  t: Test, { errors, visitor, user, laptop, phone }: Household,
  more: { [name: string]: () => ReturnType<Browser['get']> } = {}
) {
  const asked = {
    'a guarded page': () => laptop.get('/members'),
    'coming back': () => phone.get('/members'),
    'a login': () => visitor().signIn(user('ann'), { remember: true }),
    ...more
  }
  errors.length = 0
  const answers = await Promise.all(Object.entries(asked).map(async ([name, ask]) => ({ name, answer: await ask() })))
  for (const { name, answer } of answers) {
    t.equal(answer.statusCode, 503, name)
    t.match(answer.json(), { code: 'FST_LOGIN_STORE_FAILED' })
    t.strictSame(setCookies(answer), [])
  }
  t.equal(errors.length, answers.length)
  for (const { cause } of errors) t.ok(cause instanceof Error)
}

async function everybodyIsThere (t: Test, { laptop, phone, tablet }: Household) {
  t.match(await laptop.who(), { user: 'ann', kind: 'fresh', remembered: true })
  t.strictSame([(await phone.who()).user, (await tablet.who()).user], ['ann', 'ann'])
  for (const browser of [laptop, phone]) t.equal(await comeBack(browser), 'ann')
}

/** Unlike `once` of node:events, this waits through errors: there is one for each attempt to connect. */
function tells (client: Redis, event: 'close' | 'end' | 'ready'): Promise<unknown> {
  return new Promise((resolve) => client.once(event, () => resolve(null)))
}

t.test('with a real Redis', { skip: canStartRedis() ? false : 'no redis-server to start' }, async (t) => {
  t.test('a Redis that is halted for a while only takes longer', async (t) => {
    const home = await household(t)
    const answered: string[] = []
    home.redis.halt()
    const asking = [
      home.laptop.get('/members'), home.phone.get('/members'), home.visitor().signIn(home.user('ann'))
    ].map(async (pending, index) => {
      const { statusCode } = await pending
      answered.push(`${index}: ${statusCode}`)
    })
    t.equal((await home.visitor().get('/public')).statusCode, 200)
    t.strictSame(answered, [])
    home.redis.resume()
    await Promise.all(asking)
    t.strictSame(answered.sort(), ['0: 200', '1: 200', '2: 302'])
    await everybodyIsThere(t, home)
    t.equal((await home.sids('ann')).length, 4)
  })

  t.test('a Redis that answers too late is one that failed, even where it has done what it was asked', async (t) => {
    const home = await household(t)
    home.redis.halt()
    home.client.options.commandTimeout = 50
    await findsItDown(t, home)
    delete home.client.options.commandTimeout
    t.match(home.errors.map(({ cause }) => cause), [
      { message: 'Command timed out' }, { message: 'Command timed out' }, { message: 'Command timed out' }
    ])
    home.redis.resume()
    await everybodyIsThere(t, home)
  })

  t.test('a connection that is cut and comes back ends nobody\'s login', async (t) => {
    const home = await household(t)
    const { client, tablet, sids } = home
    const before = await sids('ann')
    const ended = tells(client, 'end')
    client.disconnect()
    await findsItDown(t, home, { 'a logout': () => tablet.signOut() })
    await ended
    await client.connect()
    t.strictSame(await sids('ann'), before)
    await everybodyIsThere(t, home)
  })

  t.test('a Redis that is killed and started again over its data ends nobody\'s login', async (t) => {
    const home = await household(t)
    const { client, tablet, redis, sids } = home
    const before = await sids('ann')
    const lost = tells(client, 'close')
    await redis.kill()
    await lost
    await findsItDown(t, home, { 'a logout': () => tablet.signOut() })
    const back = tells(client, 'ready')
    await redis.restart()
    await back
    t.strictSame(await sids('ann'), before)
    await everybodyIsThere(t, home)
  })
})
