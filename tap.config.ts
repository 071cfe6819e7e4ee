/* v8 ignore start -- runs before the suite, in a process of its own */
import { execFileSync } from 'node:child_process'
import { serversFound } from './test/support/servers.js'

// The tests of the built doors need something to open.
execFileSync('npx', ['tshy'], { stdio: 'inherit' })

const found = await serversFound()
for (const { name, url, there } of found) {
  console.log(`# ${name} at ${url}: ${there ? 'found' : 'not there, its tests are skipped'}`)
}

const missing = found.filter(({ there }) => !there).map(({ name }) => name)
if (process.env.CI === 'true' && missing.length > 0) {
  console.error(`CI needs every server, and these are missing: ${missing.join(', ')}`)
  process.exit(1)
}
/* v8 ignore stop */
