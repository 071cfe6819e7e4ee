/**
 * A login form with remember-me, a dashboard, settings that need a fresh login, and logout. Start it with `npm start`.
 */
import { randomBytes } from 'node:crypto'
import formbody from '@fastify/formbody'
import Fastify from 'fastify'
import fastifyLogin from 'fastify-login'
import { html, page } from './html.js'
import { authenticate, credentials, users } from './users.js'

const secret = process.env.SESSION_SECRET ?? randomBytes(32)
if (process.env.SESSION_SECRET === undefined) {
  console.log('SESSION_SECRET is not set: a random one is used, and logins end with this process.')
}

const app = Fastify({ logger: { level: 'warn' } })
await app.register(formbody)
await app.register(fastifyLogin, {
  secret,
  userLoader: (id) => users.get(id),
  // A new password ends the sessions and remember cookies made under the old one.
  userStamp: (user) => user.password.hash.toString('base64url')
})
app.addHook('onSend', async (_request, reply) => {
  reply.header(
    'content-security-policy',
    "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
  )
})

const logoutForm = html`<form method="post" action="/logout"><button>Sign out</button></form>`

app.get('/', async (request, reply) => {
  const user = await request.getCurrentUser()
  const greeting = user === null
    ? html`<p>You are not signed in.</p>`
    : html`<p>You are signed in as ${user.name}.</p>${logoutForm}`
  return reply.type('text/html').send(page('Welcome', html`${greeting}
<p><a href="/dashboard">Dashboard</a> <a href="/settings">Settings</a></p>`))
})

interface LoginForm { username: string, password: string, remember?: 'on', next?: string }
interface LoginPage { username?: string, remember?: boolean, next: string, problem?: string }

function loginPage ({ username = '', remember = false, next, problem = '' }: LoginPage): string {
  return page('Sign in', html`<p role="alert">${problem}</p>
<form method="post" action="/login">
<p><label>User name <input name="username" value="${username}" autocomplete="username" required></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><label><input name="remember" type="checkbox"${remember ? html` checked` : ''}> Remember me</label></p>
<input name="next" type="hidden" value="${next}">
<p><button>Sign in</button></p>
</form>`)
}

// People whose login is no longer fresh come here too: the fresh guard sends them.
app.get<{ Querystring: { next?: string } }>('/login', {
  schema: { querystring: { type: 'object', properties: { next: { type: 'string' } } } }
}, async (request, reply) => {
  const { next = '' } = request.query
  const user = await request.getCurrentUser()
  const { loginState } = request
  const form = user === null || !('remembered' in loginState)
    ? { next }
    : { next, username: user.id, remember: loginState.remembered, problem: 'Please sign in again to go on.' }
  return reply.type('text/html').send(loginPage(form))
})

app.post<{ Body: LoginForm }>('/login', {
  schema: {
    body: {
      type: 'object',
      required: ['username', 'password'],
      properties: {
        username: { type: 'string', maxLength: 100 },
        password: { type: 'string', maxLength: 1000 },
        remember: { const: 'on' },
        next: { type: 'string' }
      }
    }
  }
}, async (request, reply) => {
  const { username, password, remember, next } = request.body
  const user = await authenticate(username, password)
  if (user === null) {
    const problem = 'Wrong user name or password.'
    return reply.code(401).type('text/html')
      .send(loginPage({ username, remember: remember === 'on', next: next ?? '', problem }))
  }
  return reply.loginUser(user, { remember: remember === 'on', next, redirectUrl: '/dashboard' })
})

app.post('/logout', async (_request, reply) => {
  await reply.logoutUser()
  return reply.redirect('/', 303)
})

app.get('/dashboard', { preHandler: app.login.guard() }, async (request, reply) => {
  const user = request.requireUser()
  const { kind } = request.loginState
  return reply.type('text/html').send(page('Dashboard', html`<p>Hi ${user.name}, this login is ${kind}.</p>
<p><a href="/settings">Settings</a></p>${logoutForm}`))
})

function settingsPage (name: string): string {
  return page('Settings', html`<form method="post" action="/settings">
<p><label>Your name <input name="name" value="${name}" required></label></p>
<p><button>Save</button></p>
</form>
<p><a href="/dashboard">Dashboard</a></p>`)
}

app.get('/settings', { preHandler: app.login.guardFresh() }, async (request, reply) =>
  reply.type('text/html').send(settingsPage(request.requireUser().name)))

app.post<{ Body: { name: string } }>('/settings', {
  preValidation: app.login.guardFresh(),
  schema: {
    body: { type: 'object', required: ['name'], properties: { name: { type: 'string', minLength: 1, maxLength: 100 } } }
  }
}, async (request, reply) => {
  request.requireUser().name = request.body.name
  return reply.redirect('/settings', 303)
})

const address = await app.listen({ port: Number(process.env.PORT ?? 3000) })
console.log(`Listening at ${address}`)
for (const { id, password } of credentials) console.log(`Sign in as ${id} with the password: ${password}`)
