import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import t from 'tap'

/* What the compiler of a consumer says to the built package, in each way modules are resolved today. */
t.setTimeout(180_000)

const TSC = createRequire(import.meta.url).resolve('typescript/bin/tsc')

const PROGRAM = `
import Fastify from 'fastify'
import type { LoginSessionData, LoginUser } from 'fastify'
import byDefault, { fastifyLogin, guard, guardFresh, jwtSession } from 'fastify-login'
import type { FastifyLoginOptions, JwtSessionOptions, LoginState, UserId } from 'fastify-login'

declare module 'fastify' {
  interface LoginUser { id: number, name: string }
  interface LoginSessionData { cart: string[] }
}

const users = new Map<UserId, LoginUser>([[1, { id: 1, name: 'Ann' }]])
const options: FastifyLoginOptions = { secret: 'x', userLoader: (id) => users.get(id) ?? null, remember: { days: 7 } }
const sessionOptions: JwtSessionOptions = { secret: ['x', Buffer.alloc(32)], cookie: { sameSite: 'strict' } }

const app = Fastify()
app.register(fastifyLogin, options)
app.register(byDefault, options)
app.register(import('fastify-login'), options)
app.register(jwtSession, sessionOptions)
// @ts-expect-error -- a mode that is none
app.register(fastifyLogin, { ...options, sessionProtection: 'Strong' })
// @ts-expect-error -- days are a number
app.register(byDefault, { secret: 'x', remember: { days: '7' } })
// @ts-expect-error -- there is no session without a secret
app.register(jwtSession, { cookieName: 'sid' })

app.get('/', {
  onRequest: guard({ allow: (user) => user.name !== '' }),
  preHandler: app.login.guardFresh({ maxAgeSeconds: 60 })
}, async (request) => {
  const name: string = request.requireUser().name
  const cart: LoginSessionData['cart'] | undefined = request.session.get('cart')
  request.session.set('cart', ['pear'])
  // @ts-expect-error -- the cart is a list of strings
  request.session.set('cart', 1)
  const state: LoginState = request.loginState
  return [name, cart, state.kind]
})
app.post('/', { preHandler: guardFresh() }, async (_request, reply) =>
  reply.loginUser({ id: 1, name: 'Ann' }, { remember: 7 }))
// @ts-expect-error -- a user has a name
app.put('/', async (_request, reply) => reply.loginUser({ id: 1 }))
app.login.on('login', ({ user, sid }) => [user.name, sid])
`

const NODE = ['consumer.mts', 'consumer.cts']
const modes = {
  node16: { options: { module: 'node16', moduleResolution: 'node16' }, files: NODE },
  nodenext: { options: { module: 'nodenext', moduleResolution: 'nodenext' }, files: NODE },
  bundler: { options: { module: 'esnext', moduleResolution: 'bundler' }, files: ['consumer.ts'] }
}

for (const [mode, { options, files }] of Object.entries(modes)) {
  t.test(`the types of the built package fit a consumer under ${mode}`, async (t) => {
    // Our declarations are checked themselves once; the others of a program take their time.
    const skipLibCheck = mode !== 'nodenext'
    const dir = t.testdir({
      'package.json': JSON.stringify({ name: 'consumer', private: true }),
      node_modules: { 'fastify-login': t.fixture('symlink', process.cwd()) },
      ...Object.fromEntries(files.map((file) => [file, PROGRAM])),
      'tsconfig.json': JSON.stringify({
        compilerOptions: {
          ...options,
          skipLibCheck,
          target: 'es2022',
          strict: true,
          exactOptionalPropertyTypes: true,
          esModuleInterop: true,
          noEmit: true,
          types: ['node']
        },
        files
      })
    })
    const { NODE_OPTIONS, ...env } = process.env
    const said = await new Promise<string>((resolve) => {
      execFile(
        process.execPath,
        [TSC, '-p', dir, '--pretty', 'false'],
        { cwd: dir, env },
        (_error, stdout) => resolve(stdout)
      )
    })
    t.equal(said, '')
  })
}
