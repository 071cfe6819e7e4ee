import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'
import type { Page } from 'playwright-core'
import t from 'tap'
import { start } from '../../support/processes.js'

const executablePath = '/usr/bin/chromium'
const args = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'
]

async function signIn (page: Page, { remember = false } = {}): Promise<void> {
  await page.getByLabel('User name').fill('ann')
  await page.getByLabel('Password').fill('correct horse')
  await page.getByLabel('Remember me').setChecked(remember)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL((url) => url.pathname !== '/login')
}

// Processes of their own take longer where the machine is busy.
t.setTimeout(120_000)

const skip = existsSync(executablePath) ? false : `${executablePath} is not there`

t.test('the example in Chromium', { skip }, async (t) => {
  const { address } = await start(t, 'examples/basic.ts', { SESSION_SECRET: 'the secret of the example, in its test' })
  const browser = await chromium.launch({ executablePath, args })
  t.teardown(() => browser.close())

  t.test('signs in, remembers, asks again before the settings, and signs out', async (t) => {
    const context = await browser.newContext({ baseURL: address })
    const page = await context.newPage()
    await page.goto('/settings')
    t.equal(page.url(), `${address}/login?next=%2Fsettings`)
    await signIn(page, { remember: true })
    t.equal(page.url(), `${address}/settings`)
    t.equal(await page.getByLabel('Your name').inputValue(), 'Ann')

    const cookies = await context.cookies()
    const month = Date.now() / 1000 + 30 * 86_400
    t.match(cookies.sort((a, b) => a.name.localeCompare(b.name)), [
      { name: '_remember', path: '/', httpOnly: true, secure: false, sameSite: 'Lax' },
      { name: 'session', path: '/', httpOnly: true, secure: false, sameSite: 'Lax', expires: -1 }
    ])
    t.ok(Math.abs(cookies[0]!.expires - month) < 600, 'the remember cookie stays for thirty days')
    t.equal(await page.evaluate('document.cookie'), '', 'scripts see neither')

    // Closing the browser ends what has no lifetime.
    await context.close()
    const later = await browser.newContext({ baseURL: address })
    await later.addCookies(cookies.filter(({ expires }) => expires !== -1))
    const back = await later.newPage()
    await back.goto('/dashboard')
    t.match(await back.textContent('body'), 'this login is stale')
    await back.getByRole('link', { name: 'Settings' }).click()
    t.equal(back.url(), `${address}/login?next=%2Fsettings`)
    await signIn(back, { remember: true })
    t.equal(back.url(), `${address}/settings`)

    await back.goto('/dashboard')
    await back.getByRole('button', { name: 'Sign out' }).click()
    await back.waitForURL(`${address}/`)
    t.strictSame(await later.cookies(), [])
    await back.goBack()
    t.equal(back.url(), `${address}/login?next=%2Fdashboard`, 'the back button shows no guarded page')
    await later.close()
  })

  t.test('a form on another site cannot act for the user', async (t) => {
    const context = await browser.newContext({ baseURL: address })
    const page = await context.newPage()
    await page.goto('/login')
    await signIn(page)
    // What another site posts goes without the session, which is SameSite=Lax.
    const foreign = 'http://prize.example/'
    await page.route(foreign, (route) => route.fulfill({
      contentType: 'text/html',
      body: `<form method="post" action="${address}/settings">
<input name="name" value="Mallory"><button>Win a prize</button></form>`
    }))
    await page.goto(foreign)
    await page.getByRole('button', { name: 'Win a prize' }).click()
    await page.waitForURL(`${address}/login?next=%2Fsettings`)
    await page.goto('/settings')
    t.equal(await page.getByLabel('Your name').inputValue(), 'Ann')
    await context.close()
  })
})
