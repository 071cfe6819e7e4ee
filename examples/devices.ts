/**
 * "Your devices": where you are signed in, and how to end it. Start it with `npx tsx examples/devices.ts`, sign in from two
 * browsers, and end one login from the other.
 */
import { randomBytes } from 'node:crypto'
import formbody from '@fastify/formbody'
import Fastify from 'fastify'
import fastifyLogin, { memoryStore } from 'fastify-login'
import { html, page } from './html.js'
import { authenticate, credentials, users } from './users.js'

const app = Fastify({ logger: { level: 'warn' } })
await app.register(formbody)
await app.register(fastifyLogin, {
  secret: process.env.SESSION_SECRET ?? randomBytes(32),
  userLoader: (id) => users.get(id),
  // One process, gone with it: redisStore() and sqlStore() keep logins for many.
  store: memoryStore()
})

app.get('/login', { preHandler: app.login.guardAnonymous({ redirectUrl: '/devices' }) }, async (_request, reply) =>
  reply.type('text/html').send(page('Sign in', html`<form method="post">
<input name="username" aria-label="User name" required>
<input name="password" type="password" aria-label="Password" required>
<label><input name="remember" type="checkbox"> Remember me</label>
<button>Sign in</button>
</form>`)))

const strings = (...names: string[]) => ({
  schema: {
    body: {
      type: 'object',
      required: names,
      properties: Object.fromEntries(names.map((name) => [name, { type: 'string', maxLength: 1000 }]))
    }
  }
})

interface Form { username: string, password: string, remember?: string }

app.post<{ Body: Form }>('/login', strings('username', 'password'), async (request, reply) => {
  const { username, password, remember } = request.body
  const user = await authenticate(username, password)
  if (user === null) return reply.redirect('/login', 303)
  return reply.loginUser(user, { remember: remember === 'on', redirectUrl: '/devices' })
})

// Everything below this line is for people who are signed in.
app.register(async (area) => {
  area.addHook('preValidation', app.login.guard())

  area.get('/devices', async (request, reply) => {
    const state = request.loginState
    const here = 'sid' in state ? state.sid : null
    const logins = await app.login.list(request.requireUser().id)
    const rows = logins.map(({ sid, userAgent, createdAt, lastSeenAt, remember }) => html`<tr>
<td>${userAgent ?? 'unknown'}${remember ? ' (remembered)' : ''}</td>
<td>${new Date(createdAt).toISOString()}</td><td>${new Date(lastSeenAt).toISOString()}</td>
<td>${sid === here
  ? 'this one'
  : html`<form method="post" action="/devices/end"><button name="sid" value="${sid}">End</button></form>`}</td>
</tr>`)
    return reply.type('text/html').send(page('Your devices', html`<table>
<tr><th>Device</th><th>Signed in</th><th>Last seen</th><th></th></tr>
${rows}
</table>
<form method="post" action="/devices/end-others"><button>End all others</button></form>
<form method="post" action="/logout"><button>Sign out</button></form>`))
  })

  // The user's own id goes along, so nobody ends the logins of others.
  area.post<{ Body: { sid: string } }>('/devices/end', strings('sid'), async (request, reply) => {
    await app.login.revoke(request.requireUser().id, request.body.sid)
    return reply.redirect('/devices', 303)
  })

  area.post('/devices/end-others', async (_request, reply) => {
    await reply.logoutUser({ scope: 'others' })
    return reply.redirect('/devices', 303)
  })
})

app.post('/logout', async (_request, reply) => {
  await reply.logoutUser()
  return reply.redirect('/login', 303)
})

const address = await app.listen({ port: Number(process.env.PORT ?? 3000) })
console.log(`Listening at ${address}/devices`)
for (const { id, password } of credentials) console.log(`Sign in as ${id} with the password: ${password}`)
