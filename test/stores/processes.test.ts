import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import pg from 'pg'
import t from 'tap'
import type { Test } from 'tap'
import { redisStore, sqlStore } from '../../src/index.js'
import type { LoginStore } from '../../src/index.js'
import { HttpBrowser } from '../support/http-browser.js'
import { start } from '../support/processes.js'
import { isThere, servers } from '../support/servers.js'

const SERVER = new URL('../support/stores/server.ts', import.meta.url).pathname

/** The store as this process sees it, emptied when the test ends. */
const stores: { [name in 'Redis' | 'PostgreSQL']: (t: Test, name: string) => Promise<LoginStore> } = {
  async Redis (t, name) {
    const client = new Redis(servers.Redis)
    const store = redisStore(client, { prefix: name })
    t.teardown(async () => {
      await store.deleteAll({ area: 'session', userId: 'ann' }, { except: null, now: Date.now() })
      client.disconnect()
    })
    return store
  },
  async PostgreSQL (t, name) {
    const pool = new pg.Pool({ connectionString: servers.PostgreSQL, max: 2 })
    const store = sqlStore({ dialect: 'postgres', table: name, query: (text, params) => pool.query(text, params) })
    await store.createTable()
    t.teardown(async () => {
      await pool.query(`DROP TABLE ${name}`)
      await pool.end()
    })
    return store
  }
}

for (const server of ['Redis', 'PostgreSQL'] as const) {
  t.test(`two processes on one ${server}`, { skip: await isThere(server) ? false : `no ${server}` }, async (t) => {
    const name = `processes_${randomUUID().replaceAll('-', '')}`
    const store = await stores[server](t, name)
    const running = await Promise.all([0, 1].map(() => start(t, SERVER, { STORE: server, NAME: name })))
    const [here, there] = running.map(({ address }) => address) as [string, string]

    /** The browser's requests leave at the same moment with the same cookies, by turns for both processes. */
    const atOnce = async (browser: HttpBrowser, count: number) => {
      const copies = Array.from(
        { length: count },
        (_, index) => Object.assign(new HttpBrowser([here, there][index % 2]!), { jar: new Map(browser.jar) })
      )
      const answers = await Promise.all(copies.map((copy) => copy.send('/who')))
      return answers.map((answer, index) => ({ ...JSON.parse(answer.text), set: answer.set, copy: copies[index]! }))
    }

    t.test('50 parallel restores are one rotation, and 50 times the right user', async (t) => {
      const browser = new HttpBrowser(here)
      await browser.send('/login', { method: 'POST' })
      const [record] = await store.list({ area: 'session', userId: 'ann' }, Date.now())
      for (const round of [1, 2, 3]) {
        browser.close()
        const answers = await atOnce(browser, 50)
        const expected = { user: 'ann', kind: 'stale', userId: 'ann', sid: record!.sid, remembered: true }
        for (const { user, kind, userId, sid, remembered } of answers) {
          t.strictSame({ user, kind, userId, sid, remembered }, expected)
        }
        const rotated = answers.filter(({ set }) => set._remember !== undefined)
        t.equal(rotated.length, 1, `round ${round}`)
        browser.jar = rotated[0]!.copy.jar
      }
      t.match(await store.list({ area: 'session', userId: 'ann' }, Date.now()), [{ sid: record!.sid, createdAt: record!.createdAt, remember: true }])
    })

    t.test('a login that ends in one process is over in the other', async (t) => {
      const browser = new HttpBrowser(there)
      await browser.send('/login', { method: 'POST' })
      t.strictSame((await atOnce(browser, 4)).map(({ user }) => user), ['ann', 'ann', 'ann', 'ann'])
      const copy = Object.assign(new HttpBrowser(here), { jar: new Map(browser.jar) })
      await browser.send('/logout', { method: 'POST' })
      t.match(JSON.parse((await copy.send('/who')).text), { user: null })
      t.equal(copy.jar.size, 0)
    })
  })
}
