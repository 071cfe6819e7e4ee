import t from 'tap'
import { build } from '../support/app.js'
import { Browser } from '../support/browser.js'
import { people } from '../support/users.js'

t.test('a user signs in, sees the guarded page, and signs out', async (t) => {
  const { byId, userLoader } = people()
  const app = await build({ userLoader })
  app.get(
    '/dashboard',
    { preHandler: app.login.guard() },
    async (request) => request.requireUser<{ name: string }>().name
  )
  app.post('/login', async (_request, reply) => reply.loginUser(byId.get('ann')!))
  app.post('/logout', async (_request, reply) => {
    await reply.logoutUser()
    return reply.redirect('/')
  })
  const browser = new Browser(app)

  t.match(await browser.get('/dashboard'), { statusCode: 302, headers: { location: '/login?next=%2Fdashboard' } })
  t.match(await browser.post('/login?next=%2Fdashboard'), { statusCode: 302, headers: { location: '/dashboard' } })
  t.match(await browser.get('/dashboard'), { statusCode: 200, body: 'Ann' })
  t.match(await browser.post('/logout'), { statusCode: 302, headers: { location: '/' } })
  t.match(await browser.get('/dashboard'), { statusCode: 302, headers: { location: '/login?next=%2Fdashboard' } })
})
