import t from 'tap'
import { build, buildSession } from '../support/app.js'
import { onePage } from '../support/browser.js'

const vary = 'vary'

t.test('Vary: Cookie where the session was read or written, also by a stranger', async (t) => {
  const { visit } = onePage(await buildSession())
  t.equal((await visit((session) => session.get('cart'))).headers[vary], 'Cookie')
  t.equal((await visit((session) => session.set('cart', 1))).headers[vary], 'Cookie')
  t.equal((await visit((session) => session.delete())).headers[vary], 'Cookie')
  t.equal((await visit(() => null)).headers[vary], undefined)
})

t.test('Vary: Cookie where the login was asked for', async (t) => {
  const { visit } = onePage(await build())
  t.equal((await visit((_session, request) => request.getCurrentUser())).headers[vary], 'Cookie')
  t.equal((await visit((_session, request) => request.loginState)).headers[vary], 'Cookie')
  t.equal((await visit(() => null)).headers[vary], undefined)
})

const table: [string, string | string[], unknown][] = [
  ['another field is kept', 'Accept-Encoding', 'Accept-Encoding, Cookie'],
  ['several fields are kept', 'Accept-Encoding, Origin', 'Accept-Encoding, Origin, Cookie'],
  ['ours is not doubled', 'Accept, Cookie', 'Accept, Cookie'],
  ['ours is not doubled however it is spelt', 'cookie,Accept', 'cookie,Accept'],
  ['a field that only begins so is another one', 'Cookie2', 'Cookie2, Cookie'],
  ['a star says it all', '*', '*'],
  ['a list of fields', ['Accept', 'Origin'], 'Accept,Origin, Cookie']
]
for (const [name, given, expected] of table) {
  t.test(`an existing Vary: ${name}`, async (t) => {
    const { visit } = onePage(await buildSession())
    const response = await visit((session, _request, reply) => {
      reply.header(vary, given)
      session.get('cart')
    })
    t.equal(response.headers[vary], expected)
  })
}

t.test('Vary is not doubled when a later onSend hook throws', async (t) => {
  const app = await buildSession()
  app.addHook('onSend', async () => { throw new Error('late') })
  const { visit } = onePage(app)
  t.equal((await visit((session) => session.get('cart'))).headers[vary], 'Cookie')
})
