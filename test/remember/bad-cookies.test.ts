import t from 'tap'
import { Writable } from 'node:stream'
import { bad, token } from '../hostile/remember-cookies.js'
import { build } from '../support/app.js'
import { Browser, setCookies } from '../support/browser.js'
import { START } from '../support/clock.js'
import { listen } from '../support/events.js'
import { site } from '../support/site.js'
import { people } from '../support/users.js'

t.test('the remember token that bad ones are made from restores', async (t) => {
  const { visitor } = await site()
  const ann = visitor()
  ann.keep({ _remember: token })
  t.match(await ann.who(), { user: 'ann', kind: 'stale' })
})

for (const [name, [value, reasons]] of Object.entries(bad)) {
  t.test(`a remember cookie ${name} is cleared and stops nothing else`, async (t) => {
    const lines: { msg: string, level: number, cookie?: string, reason?: string }[] = []
    const stream = new Writable({ write: (line, _encoding, done) => { lines.push(JSON.parse(String(line))); done() } })
    const machine = { id: 'machine', name: 'Machine' }
    const app = await build({
      clock: () => START,
      userLoader: people().userLoader,
      requestLoader: (request) => request.headers['x-key'] === 'good' ? machine : null
    }, { logger: { level: 'debug', stream } })
    app.get('/who', async (request) => ({ user: await request.getCurrentUser(), ...request.loginState }))
    const heard = listen(app.login)
    const stranger = new Browser(app)
    stranger.keep({ _remember: value })

    const response = await stranger.get('/who', { 'x-key': 'good' })
    t.strictSame(response.json(), { user: machine, kind: 'request' })
    t.strictSame(setCookies(response), ['-_remember'])
    const { request, cookie, reason, ...rest } = heard[0]!.payload
    t.strictSame([heard.length, heard[0]!.event, cookie, rest], [1, 'invalidToken', '_remember', {}])
    t.ok(reasons.split(' or ').includes(String(reason)), `${reason} is ${reasons}`)
    t.match(lines.filter(({ cookie }) => cookie !== undefined), [{ level: 20, cookie: '_remember', reason }])
    t.notOk(value.length > 8 && JSON.stringify(lines).includes(value), 'the token is in no log line')
    t.strictSame((await stranger.get('/who')).json(), { user: null, kind: 'anonymous' })
  })
}
