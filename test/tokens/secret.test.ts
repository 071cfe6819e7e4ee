import { execFileSync } from 'node:child_process'
import Fastify from 'fastify'
import t from 'tap'
import fastifyLogin, { jwtSession } from '../../src/index.js'
import type { JwtSessionOptions } from '../../src/index.js'
import { captureLog } from '../support/log.js'
import { site } from '../support/site.js'
import { SECRET } from '../support/tokens.js'
import { people } from '../support/users.js'

const COMMAND = 'node -p "require(\'node:crypto\').randomBytes(32).toString(\'base64url\')"'
const { userLoader } = people()

/** What the two plugins say to these options, and what they log. */
async function refusals (options: object) {
  const log = captureLog()
  const errors = await Promise.all([jwtSession, fastifyLogin].map(async (plugin) => {
    try {
      const all = { ...plugin === jwtSession ? {} : { userLoader }, ...options } as JwtSessionOptions
      await Fastify({ logger: log.logger }).register(plugin as typeof jwtSession, all)
      return null
    } catch (error) {
      return error as Error & { code: string }
    }
  }))
  return { errors, log }
}

t.test('there is no default secret: start-up stops, and says how to make one', async (t) => {
  for (const options of [{}, { secret: undefined }]) {
    for (const error of (await refusals(options)).errors) {
      t.equal(error?.code, 'FST_LOGIN_INVALID_OPTIONS')
      t.equal(
        error?.message,
        `fastify-login cannot start: secret is missing, and there is no default. Make one with: ${COMMAND}`
      )
    }
  }
})

t.test('a short secret is answered with the command that makes a good one', async (t) => {
  const table: [unknown, number][] = [
    ['x'.repeat(31), 31], ['x', 1], [Buffer.alloc(31), 31], [Buffer.alloc(0), 0], ['é'.repeat(15), 30],
    [[SECRET, 'x'.repeat(12)], 12], [['x'.repeat(5), SECRET], 5]
  ]
  for (const [secret, bytes] of table) {
    for (const error of (await refusals({ secret })).errors) {
      t.match(error, {
        code: 'FST_LOGIN_SECRET_TOO_SHORT',
        message: `each secret needs at least 32 bytes, got ${bytes}. Make one with: ${COMMAND}`
      })
    }
  }
})

t.test('the command in the error message makes a secret that is accepted', async (t) => {
  const secret = execFileSync('sh', ['-c', COMMAND], { env: { ...process.env, NODE_OPTIONS: '' } }).toString().trim()
  t.same((await refusals({ secret })).errors, [null, null])
})

t.test('32 bytes are enough, as string or Buffer, alone or in a list', async (t) => {
  for (const secret of ['x'.repeat(32), 'é'.repeat(16), Buffer.alloc(32), ['x'.repeat(32), Buffer.alloc(64)]]) {
    t.same((await refusals({ secret })).errors, [null, null])
  }
})

t.test('a short secret is said last: whoever reads it has nothing else to mend', async (t) => {
  const others = [
    { cookie: { sameSite: 'Lax' } }, { clok: Date.now }, { verifiedCacheSize: -1 }, { cookie: { sameSite: 'none' } },
    { cookie: { partitioned: true } }
  ]
  for (const other of others) {
    for (const error of (await refusals({ secret: 'short', ...other })).errors) {
      t.equal(error?.code, 'FST_LOGIN_INVALID_OPTIONS', JSON.stringify(other))
    }
  }
})

t.test('no message and no log line says what a secret is', async (t) => {
  const hidden = '4711471147114711'
  const wrong: object[] = [
    { secret: hidden }, { secret: [hidden, 5] }, { secret: [[hidden]] }, { secret: { key: hidden } },
    { secret: Number(hidden) }, { secret: [Number(hidden)] }, { secret: [SECRET, hidden] },
    { secret: Buffer.from(hidden) }, { secret: 0, secrets: hidden }, { secrte: hidden }, { SECRET: hidden },
    { secret: SECRET, sessionSecret: hidden },
    { secret: SECRET, jwt: { secret: hidden } }, { secret: SECRET, cookie: { secret: hidden } },
    { secret: SECRET, cookie: { secure: 'yes', signed: hidden } }
  ]
  for (const options of wrong) {
    const { errors, log } = await refusals(options)
    for (const error of errors) t.notMatch(`${error?.message} ${error?.stack}`, hidden)
    t.notMatch(log.text(), hidden)
  }
})

// Flask-Login F9: a secret with characters outside latin-1 is a 500.
t.test('secrets may hold any character or byte', async (t) => {
  for (const secret of ['geheim 🔑 ключ 秘密 geheim 🔑', Buffer.alloc(32, 0xff), [Buffer.alloc(64), SECRET]]) {
    const { user, visitor } = await site({ secret, userStamp: () => 'stamp', sessionProtection: 'strong' })
    const ann = visitor()
    await ann.signIn(user('ann'), { remember: 5 })
    t.match(await ann.who(), { user: 'ann', kind: 'fresh' })
    ann.close()
    t.match(await ann.who(), { user: 'ann', kind: 'stale' })
  }
})
