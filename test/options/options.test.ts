import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import Fastify from 'fastify'
import t from 'tap'
import fastifyLogin, { jwtSession } from '../../src/index.js'
import type {
  CookieAttributes, FastifyLoginOptions, JwtSessionOptions, LoginSessionOptions, RememberOptions
} from '../../src/index.js'
import { SECRET_COMMAND } from '../../src/errors.js'
import { loginSettings, jwtSessionSettings } from '../../src/options/settings.js'
import { createTokens } from '../../src/tokens/tokens.js'
import { build } from '../support/app.js'
import { onePage, setCookies } from '../support/browser.js'
import { captureLog } from '../support/log.js'
import { SECRET } from '../support/tokens.js'
import { people } from '../support/users.js'

const { userLoader } = people()
const PLUGINS = { jwtSession: { secret: SECRET }, fastifyLogin: { secret: SECRET, userLoader } }
type Plugin = keyof typeof PLUGINS

/** Registers a plugin with options the compiler would not let pass; what went wrong, if anything. */
async function register (
  plugin: Plugin, options: object, app: FastifyInstance = Fastify()
): Promise<{ code?: string, message: string } | null> {
  try {
    const chosen = (plugin === 'jwtSession' ? jwtSession : fastifyLogin) as typeof jwtSession
    await app.register(chosen, { ...PLUGINS[plugin], ...options } as JwtSessionOptions)
    return null
  } catch (error) {
    return error as Error
  }
}

/** What the check of its options says, without an application; this is quick, and the tables are long. */
function refusal (plugin: Plugin, options: object): { code?: string, message: string } | null {
  const log = { warn () {} } as unknown as FastifyBaseLogger
  try {
    if (plugin === 'jwtSession') jwtSessionSettings({ ...PLUGINS.jwtSession, ...options }, log)
    else loginSettings({ ...PLUGINS.fastifyLogin, ...options }, { log, riding: undefined })
    return null
  } catch (error) {
    return error as Error
  }
}

const text = [5, '', null, ['shop'], {}]
const flag = ['yes', 1, null]
const fn = ['name', {}, null, 5]
const positive = [0, -1, 1.5, '60', NaN, Infinity, null]
const natural = [-1, 1.5, '60', NaN, null]
const secret = [5, '', [], [''], [SECRET, 5], {}, true, null]
const cookieName = ['', 'a b', 'a;b', 'a=b', 'café', 5, null]
const page = [
  'login', '', '//evil.example', '/\\evil.example', '/log\nin', 'ftp://shop.example', 'javascript:alert(1)', 'https://',
  5, ['/login']
]
const origin = ['shop.example', '/shop', 'ftp://shop.example', 'https://', 5]

/** Values each option must not have; one entry for every option, or this does not compile. */
const wrongCookie = {
  domain: ['', 'a b', 'shop.example; Path=/', 'shop..example', '-shop.example', 5, null],
  path: ['shop', '', '/;', '/\n', '/é', 5, null],
  httpOnly: flag,
  sameSite: ['Lax', 'None', '', true, null],
  secure: ['true', 'yes', 1, null],
  partitioned: flag,
  priority: ['High', 1, null]
} satisfies { [K in keyof Required<CookieAttributes>]: unknown[] }

const wrongSession = {
  cookieName,
  cookie: ['lax', 5, null, []],
  idleSeconds: positive,
  absoluteSeconds: positive,
  keepOnLogin: ['cart', [5], [''], {}, null],
  keepOnLogout: ['cart', [5], [''], {}, null]
} satisfies { [K in keyof Required<LoginSessionOptions>]: unknown[] }

const wrongRemember = {
  cookieName,
  cookie: ['lax', 5, null, []],
  days: [0, 401, 1.5, '30', true, null],
  renew: flag,
  maxDays: positive
} satisfies { [K in keyof Required<RememberOptions>]: unknown[] }

const wrongJwtSession = {
  secret,
  audience: text,
  cookieName,
  cookie: ['lax', 5, null, []],
  idleSeconds: positive,
  absoluteSeconds: positive,
  verifiedCacheSize: natural,
  clock: fn
} satisfies { [K in keyof Required<JwtSessionOptions>]: unknown[] }

const wrongLogin = {
  secret,
  userLoader: fn,
  requestLoader: fn,
  loginUrl: page,
  refreshUrl: page,
  nextParam: text,
  nextIn: ['Session', 'body', '', null],
  allowedOrigins: ['https://shop.example', [5], ...origin.map((one) => [one]), null],
  publicOrigin: origin,
  unauthorizedHandler: fn,
  needsRefreshHandler: fn,
  loginMessage: [true, 5, {}, null],
  refreshMessage: [true, 5, {}, null],
  audience: text,
  cookie: ['lax', 5, null, []],
  session: ['internal', 5, null, []],
  remember: [true, 30, null, []],
  loadUser: ['Eager', true, null],
  userStamp: fn,
  sessionProtection: ['Strong', true, null],
  fingerprint: fn,
  noStore: flag,
  store: ['redis', {}, { create () {} }, null],
  storeCheckSeconds: natural,
  rememberGraceSeconds: natural,
  maxLogins: positive,
  verifiedCacheSize: natural,
  clock: fn
} satisfies { [K in keyof Required<FastifyLoginOptions>]: unknown[] }

const TABLES: { plugin: Plugin, under: string[], table: Record<string, unknown[]> }[] = [
  { plugin: 'jwtSession', under: [], table: wrongJwtSession },
  { plugin: 'jwtSession', under: ['cookie'], table: wrongCookie },
  { plugin: 'fastifyLogin', under: [], table: wrongLogin },
  { plugin: 'fastifyLogin', under: ['cookie'], table: wrongCookie },
  { plugin: 'fastifyLogin', under: ['session'], table: wrongSession },
  { plugin: 'fastifyLogin', under: ['session', 'cookie'], table: wrongCookie },
  { plugin: 'fastifyLogin', under: ['remember'], table: wrongRemember },
  { plugin: 'fastifyLogin', under: ['remember', 'cookie'], table: wrongCookie }
]

const nested = (path: string[], name: string, value: unknown): object =>
  path.reduceRight<object>((inner, key) => ({ [key]: inner }), { [name]: value })

/** Two neighbours in the middle change places. */
function misspelt (name: string): string {
  let at = Math.floor(name.length / 2)
  while (name[at] === name[at - 1]) at--
  return name.slice(0, at - 1) + name[at] + name[at - 1] + name.slice(at + 1)
}

for (const { plugin, under, table } of TABLES) {
  for (const [name, values] of Object.entries(table)) {
    const path = [...under, name].join('.')
    t.test(`${plugin} does not start with a wrong ${path}`, (t) => {
      for (const value of values) {
        const error = refusal(plugin, nested(under, name, value))
        t.equal(error?.code, 'FST_LOGIN_INVALID_OPTIONS', `${JSON.stringify(value)} is refused`)
        const problem = error?.message.replace(/^fastify-login cannot start: |; maxLogins needs a store$/g, '') ?? ''
        t.match(problem, new RegExp(`^${path}(\\.\\d+)? must be .+, got .+`, 's'))
        t.equal(problem.split(' must be ').length, 2, 'nothing else is wrong')
      }
      t.end()
    })

    t.test(`${plugin} does not start with a misspelt ${path}, and says what was meant`, (t) => {
      for (const wrong of [misspelt(name), name.toUpperCase(), name.replace(/[A-Z]/g, '_$&').toLowerCase()]) {
        if (wrong === name) continue
        const error = refusal(plugin, nested(under, wrong, values[0]))
        t.match(error, {
          code: 'FST_LOGIN_INVALID_OPTIONS',
          message: `fastify-login cannot start: ${[...under, wrong].join('.')} is not an option, did you mean ${name}?`
        })
      }
      t.end()
    })
  }
}

const secretRule =
  `secret must be a string or Buffer of at least 32 bytes, or a list of these. Make one with: ${SECRET_COMMAND}`

t.test('the message about a wrong option says what is expected, what arrived, and the nearest mode', async (t) => {
  const table: [Plugin, object, string][] = [
    [
      'fastifyLogin', { sessionProtection: 'Strong' },
      'sessionProtection must be one of false, "basic", "strong", got "Strong", did you mean "strong"?'
    ],
    ['fastifyLogin', { nextIn: 'cookie' }, 'nextIn must be one of "query", "session", got "cookie"'],
    [
      'fastifyLogin', { remember: { days: 401 } }, 'remember.days must be a whole number of days from 1 to 400, got 401'
    ],
    [
      'fastifyLogin', { cookie: { sameSite: 'Lax' } },
      'cookie.sameSite must be one of "strict", "lax", "none", got "Lax", did you mean "lax"?'
    ],
    [
      'fastifyLogin', { allowedOrigins: ['https://a.example', 'b.example'] },
      'allowedOrigins.1 must be an absolute http(s) URL, got "b.example"'
    ],
    [
      'fastifyLogin', { store: null },
      'store must be a store with the methods create, find, touch, rotate, delete, list, deleteAll, got null'
    ],
    ['fastifyLogin', { loginUrl: 'x'.repeat(100) },
      `loginUrl must be a path that begins with a single /, an absolute http(s) URL, or null, got "${'x'.repeat(60)}"`],
    [
      'fastifyLogin', { session: 'externl' },
      'session must be an object with session options, or "external", got "externl"'
    ],
    [
      'fastifyLogin', { remember: { colour: 'red' } },
      'remember.colour is not an option; known: cookieName, cookie, days, renew, maxDays'
    ],
    ['jwtSession', { secret: [SECRET, 5] }, `${secretRule}, got a list of 2`],
    ['jwtSession', { secret: { key: SECRET } }, `${secretRule}, got object`],
    ['jwtSession', { idleSeconds: '60' }, 'idleSeconds must be a whole number of at least 1, got "60"'],
    ['jwtSession', { audience: '' }, 'audience must be a string that is not empty, got ""'],
    ['jwtSession', { audience: ['shop'] }, 'audience must be a string that is not empty, got an array'],
    ['jwtSession', { clock: 5 }, 'clock must be a function, got 5'],
    ['jwtSession', { cookieName: 'a b' }, 'cookieName must be a cookie name (RFC 6265, section 4.1.1), got "a b"']
  ]
  for (const [plugin, options, problem] of table) {
    t.equal((await register(plugin, options))?.message, `fastify-login cannot start: ${problem}`)
  }
})

t.test('one error names every problem', async (t) => {
  const error = await register('fastifyLogin', {
    secret: undefined,
    userLoader: undefined,
    loginURL: '/in',
    nextIn: 'body',
    maxLogins: 3,
    cookie: { sameSite: 'Lax', secur: true },
    remember: { days: 0 }
  })
  t.equal(error?.code, 'FST_LOGIN_INVALID_OPTIONS')
  const problems = [
    'secret is missing', 'userLoader is missing', 'did you mean loginUrl?', 'nextIn must be', 'maxLogins needs a store',
    'cookie.sameSite must be', 'did you mean secure?', 'remember.days must be'
  ]
  for (const problem of problems) {
    t.ok(error?.message.includes(problem), problem)
  }
  t.equal(error?.message.split('; ').length, 8)
})

t.test('an option of another plugin gets one warning with its name, never its value', async (t) => {
  for (const plugin of ['jwtSession', 'fastifyLogin'] as const) {
    const log = captureLog()
    const app = Fastify({ logger: log.logger })
    t.equal(
      await register(plugin, { database: 'postgres://ann:password@db', verbose: true, ignorePattern: /x/ }, app),
      null
    )
    t.match(log.entries('warn'), [{
      msg: 'fastify-login ignores options it does not know', options: ['database', 'verbose', 'ignorePattern']
    }])
    t.equal(log.entries('warn').length, 1)
    t.notMatch(log.text(), 'password')
  }
})

t.test('the options of register() itself get no warning', async (t) => {
  for (const plugin of ['jwtSession', 'fastifyLogin'] as const) {
    const log = captureLog()
    t.equal(
      await register(plugin, { prefix: '/api', logLevel: 'info', logSerializers: {} }, Fastify({ logger: log.logger })),
      null
    )
    t.same(log.entries('warn'), [])
  }
})

t.test('an option that is undefined was not given', async (t) => {
  const undefinedOnes = (table: object) => Object.fromEntries(Object.keys(table).map((name) => [name, undefined]))
  const cookie = undefinedOnes(wrongCookie)
  t.equal(await register('jwtSession', { ...undefinedOnes(wrongJwtSession), secret: SECRET, cookie }), null)
  t.equal(await register('fastifyLogin', {
    ...undefinedOnes(wrongLogin),
    ...PLUGINS.fastifyLogin,
    cookie,
    session: { ...undefinedOnes(wrongSession), cookie },
    remember: { ...undefinedOnes(wrongRemember), cookie }
  }), null)
})

t.test('every right value of an option is accepted', async (t) => {
  const table: FastifyLoginOptions[] = [
    { loginUrl: null, refreshUrl: '/again?why=stale', publicOrigin: 'https://shop.example', allowedOrigins: [] },
    { loginUrl: 'https://sso.example/in?app=shop', allowedOrigins: ['http://a.example:8080', 'HTTPS://B.example'] },
    { nextIn: 'session', nextParam: 'return_to', loginMessage: 'Please sign in', refreshMessage: () => 'Again' },
    {
      cookie: {
        domain: '.shop.example',
        path: '/',
        httpOnly: false,
        sameSite: 'none',
        secure: true,
        partitioned: true,
        priority: 'high'
      }
    },
    { session: { cookieName: '__Host-sid', cookie: { secure: true } } },
    { remember: { cookieName: '__Secure-stay', cookie: { secure: true }, days: 400, maxDays: 1 } },
    {
      loadUser: 'eager',
      sessionProtection: 'basic',
      noStore: false,
      verifiedCacheSize: 0,
      storeCheckSeconds: 0,
      rememberGraceSeconds: 0
    },
    { sessionProtection: false, userLoader: undefined, requestLoader: () => null }
  ]
  for (const options of table) t.equal(await register('fastifyLogin', options), null)
})

const needsTrue = (cause: string, path: string, got = '"auto"') =>
  `${cause} needs ${path}.secure to be true, got ${got}`
const cookieRules: [string, Plugin, object, string][] = [
  [
    '__Host- without secure', 'jwtSession', { cookieName: '__Host-sid' },
    needsTrue('the cookie name __Host-sid', 'cookie')
  ],
  ['__Secure- without secure', 'jwtSession', { cookieName: '__secure-sid', cookie: { secure: false } },
    needsTrue('the cookie name __secure-sid', 'cookie', 'false')],
  ['__Host- with a domain', 'jwtSession', {
    cookieName: '__Host-sid', cookie: { secure: true, domain: 'shop.example' }
  },
  'the cookie name __Host-sid allows no cookie.domain'],
  ['__HOST- with a path', 'jwtSession', { cookieName: '__HOST-sid', cookie: { secure: true, path: '/shop' } },
    'the cookie name __HOST-sid needs cookie.path to be "/", got "/shop"'],
  [
    'sameSite none without secure', 'jwtSession', { cookie: { sameSite: 'none' } },
    needsTrue('cookie.sameSite "none"', 'cookie')
  ],
  [
    'partitioned without secure', 'jwtSession', { cookie: { partitioned: true } },
    needsTrue('cookie.partitioned', 'cookie')
  ],
  [
    'session cookie', 'fastifyLogin', { session: { cookieName: '__Host-sid' } },
    needsTrue('the cookie name __Host-sid', 'session.cookie')
  ],
  ['remember cookie', 'fastifyLogin',
    { remember: { cookieName: '__Host-stay', cookie: { secure: true, domain: 'shop.example' } } },
    'the cookie name __Host-stay allows no remember.cookie.domain'],
  ['attributes for both', 'fastifyLogin', { cookie: { sameSite: 'none' } },
    `${needsTrue('session.cookie.sameSite "none"', 'session.cookie')}; ` +
    needsTrue('remember.cookie.sameSite "none"', 'remember.cookie')],
  ['one name for both', 'fastifyLogin', { session: { cookieName: 'sid' }, remember: { cookieName: 'sid' } },
    'session.cookieName and remember.cookieName must differ']
]
for (const [name, plugin, options, problem] of cookieRules) {
  t.test(`a cookie browsers would drop stops start-up: ${name}`, async (t) => {
    t.match(await register(plugin, options), {
      code: 'FST_LOGIN_INVALID_OPTIONS', message: `fastify-login cannot start: ${problem}`
    })
  })
}

function deepFreeze<T> (value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze)
  return Object.freeze(value)
}

const generous = (): FastifyLoginOptions => ({
  secret: [SECRET],
  userLoader: (id) => ({ id }) as object,
  cookie: { path: '/', sameSite: 'strict' },
  session: { cookieName: 'sid', cookie: { priority: 'low' }, keepOnLogin: ['cart'], keepOnLogout: ['theme'] },
  remember: { cookieName: 'stay', cookie: { httpOnly: false }, days: 3 },
  allowedOrigins: ['https://a.example']
})

t.test('options are never written to: frozen ones work', async (t) => {
  const app = Fastify()
  await app.register(fastifyLogin, deepFreeze(generous()))
  const { visit } = onePage(app)
  await visit((_session, _request, reply) => reply.loginUser({ id: 'ann' } as object, {
    remember: true, redirectUrl: false
  }))
  t.match((await visit((_session, request) => request.getCurrentUser())).json(), { id: 'ann' })

  const alone = Fastify()
  t.equal(await register('jwtSession', deepFreeze({ secret: [SECRET], cookie: { path: '/shop' } }), alone), null)
})

t.test('options changed after registration change nothing', async (t) => {
  const options = generous()
  const secret = Buffer.from(SECRET)
  options.secret = [secret]
  const app = Fastify()
  await app.register(fastifyLogin, options)
  secret.fill(0)
  Object.assign(options.cookie!, { path: '/elsewhere' })
  Object.assign(options.session as object, { cookieName: 'other' });
  (options.session as { keepOnLogin: string[] }).keepOnLogin.length = 0
  Object.assign(options.remember!, { days: 300 });
  (options.allowedOrigins as string[]).push('https://evil.example')
  options.userLoader = () => null

  const { visit, browser } = onePage(app)
  await visit((session) => session.set('cart', ['pear']))
  await visit((_session, _request, reply) => reply.loginUser({ id: 'ann' } as object, {
    remember: true, redirectUrl: false
  }))
  t.match(browser.jar.get('sid'), { path: '/', sameSite: 'Strict' })
  t.match(browser.jar.get('stay'), { path: '/', maxAge: 3 * 86_400 })
  t.match((await visit(async (session, request) => [await request.getCurrentUser(), session.data()])).json(), [
    { id: 'ann' }, { cart: ['pear'] }
  ])
  t.ok(createTokens('session', {
    secrets: [Buffer.from(SECRET)], cookieName: 'sid', audience: undefined, cacheSize: 0, absoluteSeconds: Infinity
  })
    .read(browser.cookie('sid')!, Date.now()).kind === 'valid', 'signed with the secret as it was')
  t.equal(app.login.safeNext('https://evil.example/'), null)
  t.equal(app.login.safeNext('https://a.example/'), 'https://a.example/')
})

// microdot M32, M33: takes any secret, and misses the loader at the first guarded request.
t.test('weak secrets and missing loaders stop start-up', async (t) => {
  const userLoader = () => null
  const cases: [FastifyLoginOptions, string][] = [
    [{ secret: 'x', userLoader }, 'FST_LOGIN_SECRET_TOO_SHORT'],
    [{ secret: [SECRET, 'x'.repeat(31)], userLoader }, 'FST_LOGIN_SECRET_TOO_SHORT'],
    [{ userLoader }, 'FST_LOGIN_INVALID_OPTIONS'],
    [{ secret: SECRET }, 'FST_LOGIN_INVALID_OPTIONS']
  ]
  for (const [options, code] of cases) await t.rejects(async () => Fastify().register(fastifyLogin, options), { code })
})

// microdot M36: writes its defaults into the caller's object.
t.test('options are never written to, frozen or shared by two applications', async (t) => {
  const frozen = <T extends object>(value: T): Readonly<T> => {
    for (const part of Object.values(value)) if (typeof part === 'object') frozen(part)
    return Object.freeze(value)
  }
  const options = frozen({
    cookie: { path: '/' },
    session: { cookie: { sameSite: 'strict' as const }, keepOnLogin: ['cart'] },
    remember: { cookie: {}, days: 3 },
    allowedOrigins: ['https://a.example']
  })
  const before = JSON.stringify(options)
  for (const users of [people(), people()]) {
    const app = await build({ userLoader: users.userLoader, ...options })
    app.post(
      '/in',
      async (_request, reply) => reply.loginUser(users.byId.get('ann')!, Object.freeze({ remember: true }))
    )
    t.strictSame(setCookies(await app.inject({ method: 'POST', url: '/in' })), ['_remember', 'session'])
  }
  t.equal(JSON.stringify(options), before)
})
