import t from 'tap'
import type { Test } from 'tap'
import { HttpBrowser as Browser } from '../../support/http-browser.js'
import type { Answer } from '../../support/http-browser.js'
import { start } from '../../support/processes.js'

const ofSession = { Path: '/', HttpOnly: true, SameSite: 'Lax' }
const remembered = { ...ofSession, 'Max-Age': String(30 * 86_400) }
const both = { session: ofSession, _remember: remembered }
const cleared = { ...ofSession, 'Max-Age': '0', Expires: 'Thu, 01 Jan 1970 00:00:00 GMT' }

/** The value of a field of the form, as the page spells it. */
const field = (page: Answer, name: string) => new RegExp(`name="${name}"[^>]* value="([^"]*)"`).exec(page.text)?.[1]

/** Compares what is given; cookies always, attribute by attribute: where none are named, none may come. */
function expect (
  t: Test, answer: Answer,
  { cookies = {}, ...rest }: { status?: number, location?: string, text?: string, cookies?: object }
): void {
  t.match(answer, rest)
  t.strictSame(
    Object.fromEntries(Object.entries(answer.set).map(([name, cookie]) => [name, cookie.attributes])),
    cookies
  )
}

const right = { username: 'ann', password: 'correct horse' }
const env = { SESSION_SECRET: 'the secret of the example, in its test' }

// Processes of their own take longer where the machine is busy.
t.setTimeout(120_000)

t.test('the example, driven over HTTP', async (t) => {
  const { address, output } = await start(t, 'examples/basic.ts', env)

  t.test('the example says where it listens', async (t) => {
    t.match(output(), /^Listening at http:\/\/\S+:\d+\n/)
    await t.resolves(fetch(address))
  })

  t.test('a wrong password, an unknown name and a strange form get no cookie', async (t) => {
    const browser = new Browser(address)
    for (const wrong of [{ password: 'correct' }, { password: '' }, { username: 'eve' }, { username: 'constructor' }]) {
      const page = await browser.submit('/login', { ...right, ...wrong, next: '/dashboard?a=1&b="2"' })
      expect(t, page, { status: 401, text: 'Wrong user name or password.' })
      t.equal(field(page, 'next'), '/dashboard?a=1&#38;b=&#34;2&#34;', 'the form keeps next, escaped')
    }
    for (const strange of [
      { username: 'ann' }, { ...right, remember: 'yes' }, { ...right, username: 'a'.repeat(101) }
    ]) {
      expect(t, await browser.submit('/login', strange as Record<string, string>), { status: 400 })
    }
    expect(t, await browser.send('/dashboard'), { status: 302, location: '/login?next=%2Fdashboard' })
  })

  t.test('signing in, closing the browser, coming back, signing out', async (t) => {
    const browser = new Browser(address)
    const refused = await browser.send('/dashboard?tab=2')
    expect(t, refused, { status: 302, location: '/login?next=%2Fdashboard%3Ftab%3D2' })
    const form = await browser.send(refused.location!)
    expect(t, form, { status: 200 })

    const signedIn = await browser.submit('/login', { ...right, remember: 'on', next: field(form, 'next')! })
    expect(t, signedIn, { status: 302, location: '/dashboard?tab=2', cookies: both })

    const dashboard = await browser.send('/dashboard?tab=2')
    expect(t, dashboard, { status: 200, text: 'Hi Ann, this login is fresh.' })
    t.match(Object.fromEntries(dashboard.headers), { 'cache-control': 'no-store', vary: 'Cookie' })
    expect(t, await browser.send('/settings'), { status: 200, text: 'value="Ann"' })

    browser.close()
    t.strictSame([...browser.jar.keys()], ['_remember'])
    const restored = await browser.send('/dashboard')
    expect(t, restored, { status: 200, text: 'Hi Ann, this login is stale.', cookies: both })

    const settings = await browser.send('/settings')
    expect(t, settings, { status: 302, location: '/login?next=%2Fsettings' })
    const again = await browser.send(settings.location!)
    expect(t, again, { status: 200, text: 'Please sign in again to go on.' })
    t.equal(field(again, 'username'), 'ann')
    t.match(again.text, /name="remember" type="checkbox" checked>/)
    expect(t, await browser.submit('/settings', { name: 'Mallory' }), {
      status: 302, location: '/login?next=%2Fsettings'
    })
    expect(t, await browser.submit('/login', { ...right, remember: 'on', next: field(again, 'next')! }), {
      status: 302, location: '/settings', cookies: both
    })
    expect(t, await browser.send('/settings'), { status: 200, text: 'value="Ann"' })

    const before = new Map(browser.jar)
    const signedOut = await browser.submit('/logout')
    expect(t, signedOut, { status: 303, location: '/', cookies: { session: cleared, _remember: cleared } })
    t.equal(browser.jar.size, 0)
    expect(t, await browser.send('/dashboard'), { status: 302, location: '/login?next=%2Fdashboard' })
    expect(t, await browser.send('/'), { status: 200, text: 'You are not signed in.' })

    await t.test('after the logout the browser brings nothing, and a remember cookie kept is not fresh', async (t) => {
      // Whoever closes and opens the browser now brings nothing: logout took the remember cookie along.
      browser.close()
      expect(t, await browser.send('/settings'), { status: 302, location: '/login?next=%2Fsettings' })
      // Even someone who kept a copy of the remember cookie gets no fresh login from it.
      browser.jar = new Map(before)
      browser.close()
      expect(t, await browser.send('/settings'), { status: 302, location: '/login?next=%2Fsettings', cookies: both })
    })
  })

  t.test('a login without remember-me ends with the browser, and takes another\'s remember cookie along', async (t) => {
    const browser = new Browser(address)
    await browser.submit('/login', { ...right, remember: 'on' })
    const other = await browser.submit('/login', { username: 'ben', password: 'battery staple' })
    expect(t, other, { status: 302, location: '/dashboard', cookies: { session: ofSession, _remember: cleared } })
    expect(t, await browser.send('/dashboard'), { status: 200, text: 'Hi Ben &#38; Co., this login is fresh.' })
    browser.close()
    expect(t, await browser.send('/dashboard'), { status: 302, location: '/login?next=%2Fdashboard' })
  })

  t.test('what people type is escaped', async (t) => {
    const browser = new Browser(address)
    await browser.submit('/login', { username: 'ben', password: 'battery staple' })
    const script = '"><script>alert(\'1\')</script>'
    expect(t, await browser.submit('/settings', { name: script }), { status: 303, location: '/settings' })
    const pages = [
      await browser.send('/settings'), await browser.send('/dashboard'), await browser.send('/'),
      await browser.send(`/login?next=${encodeURIComponent(script)}`),
      await browser.submit('/login', { username: script, password: script, next: script })
    ]
    for (const { text } of pages) {
      t.match(text, '&#34;&#62;&#60;script&#62;alert(&#39;1&#39;)')
      t.notMatch(text, '<script')
    }
    await browser.submit('/settings', { name: 'Ben & Co.' })
  })

  t.test('the example follows no next that leads away', async (t) => {
    for (const next of ['//evil.example', '/\\evil.example', 'https://evil.example/', '/login', '']) {
      t.match(
        await new Browser(address).submit('/login', { ...right, next }),
        { status: 302, location: '/dashboard' },
        JSON.stringify(next)
      )
    }
  })
})

t.test('the example without SESSION_SECRET makes one, and says so', async (t) => {
  const { address, output } = await start(t, 'examples/basic.ts')
  t.match(output(), 'SESSION_SECRET is not set')
  expect(t, await new Browser(address).submit('/login', right), {
    status: 302, location: '/dashboard', cookies: { session: ofSession }
  })
})

t.test('the example in production sets Secure', async (t) => {
  const { address } = await start(t, 'examples/basic.ts', { ...env, NODE_ENV: 'production' })
  const cookies = { session: { ...ofSession, Secure: true }, _remember: { ...remembered, Secure: true } }
  expect(t, await new Browser(address).submit('/login', { ...right, remember: 'on' }), {
    status: 302, location: '/dashboard', cookies
  })
})
