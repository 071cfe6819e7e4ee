import t from 'tap'
import { HttpBrowser } from '../../support/http-browser.js'
import { start } from '../../support/processes.js'

// Processes of their own take longer where the machine is busy.
t.setTimeout(120_000)

t.test('the devices example lists the logins of a user, and ends them', async (t) => {
  const { address } = await start(t, 'examples/devices.ts')
  const site = new URL(address).origin
  const laptop = new HttpBrowser(site)
  const phone = new HttpBrowser(site)
  const tablet = new HttpBrowser(site)
  const stranger = new HttpBrowser(site)
  const signIn = (browser: HttpBrowser, username: string, password: string) =>
    browser.submit('/login', { username, password, remember: 'on' })
  for (const browser of [laptop, phone, tablet]) {
    t.match(await signIn(browser, 'ann', 'correct horse'), { status: 302, location: '/devices' })
  }
  await signIn(stranger, 'ben', 'battery staple')

  const others = async (browser: HttpBrowser) =>
    [...(await browser.send('/devices')).text.matchAll(/name="sid" value="([^"]+)"/g)].map(([, sid]) => sid!)
  const page = await laptop.send('/devices')
  t.match(page, { status: 200, text: /node \(remembered\)[^]*this one/ })
  const [first, second] = await others(laptop)
  t.ok(first !== undefined && second !== undefined && first !== second)
  t.strictSame(await others(stranger), [])

  await stranger.submit('/devices/end', { sid: first! })
  t.equal((await others(laptop)).length, 2, 'nobody ends the logins of others')

  await laptop.submit('/devices/end', { sid: first! })
  t.strictSame(await others(laptop), [second])
  const still = await Promise.all([phone, tablet].map(async (browser) => (await browser.send('/devices')).status))
  t.strictSame(still.sort(), [200, 302], 'one of the two is signed out, remember cookie or not')

  await laptop.submit('/devices/end-others')
  t.strictSame(await others(laptop), [])
  for (const browser of [phone, tablet]) {
    t.match(await browser.send('/devices'), { status: 302, location: '/login?next=%2Fdevices' })
  }
  t.match(await stranger.send('/devices'), { status: 200 })

  const copied = new Map(laptop.jar)
  t.match(await laptop.submit('/logout'), { status: 303, location: '/login' })
  laptop.jar = copied
  t.match(await laptop.send('/devices'), { status: 302 }, 'a copied cookie ends with its login')
})
