import t from 'tap'
import type { GuardOptions } from '../../src/index.js'
import { build } from '../support/app.js'

const FORBIDDEN = {
  statusCode: 403, code: 'FST_LOGIN_FORBIDDEN', error: 'Forbidden', message: 'This user may not do this'
}

async function answer (
  allow: GuardOptions['allow'], { cookiesOf = 'fresh' as 'nobody' | 'fresh' | 'stale', asyncLoader = false } = {}
) {
  const app = await build(asyncLoader ? { userLoader: async (id) => ({ id }) } : {})
  let runs = 0
  const told: string[] = []
  app.login.on('unauthorized', () => told.push('unauthorized'))
  app.login.on('needsRefresh', () => told.push('needsRefresh'))
  app.get('/', { preHandler: app.login.guardFresh({ allow, redirect: 'never' }) }, async () => {
    runs++
    return { passed: true }
  })
  const cookies = cookiesOf === 'nobody'
    ? {}
    : await app.login.cookiesFor({ id: 'ann' }, { fresh: cookiesOf === 'fresh' })
  const response = await app.inject({ url: '/', cookies })
  if (runs !== (response.statusCode === 200 ? 1 : 0)) {
    throw new Error(`answered ${response.statusCode}, and the handler ran ${runs} times`)
  }
  return { ...response.json() as { statusCode?: number, code?: string, message?: string }, told }
}

t.test('allow lets pass, or answers 403, which is told to nobody', async (t) => {
  for (const asyncLoader of [false, true]) {
    t.strictSame(await answer(() => true, { asyncLoader }), { passed: true, told: [] })
    t.strictSame(await answer(async () => true, { asyncLoader }), { passed: true, told: [] })
    t.strictSame(await answer(() => false, { asyncLoader }), { ...FORBIDDEN, told: [] })
    t.strictSame(await answer(async () => false, { asyncLoader }), { ...FORBIDDEN, told: [] })
  }
})

t.test('an allow that forgets to answer lets nobody pass', async (t) => {
  for (const nothing of [undefined, null, 0, '', NaN]) {
    t.strictSame(await answer((() => nothing) as unknown as () => boolean), { ...FORBIDDEN, told: [] }, String(nothing))
    t.strictSame(
      await answer((async () => nothing) as unknown as () => boolean),
      { ...FORBIDDEN, told: [] },
      `later ${nothing}`
    )
  }
})

t.test('an allow that fails is an error, not a pass and not a 403', async (t) => {
  const failure = Object.assign(new Error('roles are down'), { statusCode: 503 })
  for (const asyncLoader of [false, true]) {
    const expected = { statusCode: 503, message: 'roles are down', told: [] }
    t.match(await answer(() => { throw failure }, { asyncLoader }), expected)
    t.match(await answer(async () => { throw failure }, { asyncLoader }), expected)
  }
})

t.test('allow sees the user and the request, and is asked once, of users only, before freshness', async (t) => {
  const asked: unknown[] = []
  const allow: GuardOptions['allow'] = (user, request) => {
    asked.push([user, request.currentUser === user, request.url])
    return asked.length > 1
  }
  t.match(await answer(allow, { cookiesOf: 'nobody' }), { code: 'FST_LOGIN_UNAUTHORIZED' })
  t.strictSame(asked, [])
  t.match(await answer(allow, { cookiesOf: 'stale' }), { code: 'FST_LOGIN_FORBIDDEN', told: [] })
  t.match(await answer(allow, { cookiesOf: 'stale' }), { code: 'FST_LOGIN_FRESH_REQUIRED', told: ['needsRefresh'] })
  t.strictSame(asked, [[{ id: 'ann', name: 'Ann' }, true, '/'], [{ id: 'ann', name: 'Ann' }, true, '/']])
})

t.test('guards add up: each one on the way has to let pass', async (t) => {
  const app = await build()
  app.addHook('onRequest', app.login.guard({ allow: (user) => (user as { id: string }).id !== 'bob' }))
  const second = app.login.guard({ allow: (_user, request) => request.headers['x-second'] === 'yes' })
  app.get('/', { preHandler: [app.login.guard(), second] }, async () => 'passed')
  const status = async (id: string, second: string) => {
    return (await app.inject({
      url: '/', headers: { 'x-second': second }, cookies: await app.login.cookiesFor({ id })
    })).statusCode
  }
  t.strictSame([await status('ann', 'yes'), await status('ann', 'no'), await status('bob', 'yes')], [200, 403, 403])
})
