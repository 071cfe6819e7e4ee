import { readFileSync } from 'node:fs'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { start } from '../support/processes.js'

const readme = readFileSync('README.md', 'utf8')

/** The texts of all code blocks in this language. */
function blocks (language: string): string[] {
  return [...readme.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].filter(([, name]) => name === language)
    .map(([, , text]) => text!)
}

const [first = '', ...others] = blocks('ts')

/** What the shorter examples take for granted. */
const GIVEN = `
import type { FastifyInstance, FastifyRequest, LoginUser } from 'fastify'
declare global {
  const app: FastifyInstance
  const secret: string
  const users: Map<unknown, LoginUser>
  const ann: LoginUser
  const admins: Set<string>
  const sessionKey: Buffer
  function authenticate (form: unknown): Promise<LoginUser | null>
  function hasPassword (user: LoginUser, password: string): Promise<boolean>
  function setPassword (user: LoginUser, password: string): Promise<LoginUser>
  function checkSignature (request: FastifyRequest): Promise<void>
  function findByApiKey (key: unknown): Promise<LoginUser | null>
  function count (message: unknown): void
}
`

/** Flask-Login 0.4 to 0.6: its exports, members of LoginManager and UserMixin, settings. Then microdot's session and login. */
const PREDECESSORS = `
  LoginManager AnonymousUserMixin UserMixin COOKIE_NAME COOKIE_DURATION COOKIE_SECURE COOKIE_HTTPONLY COOKIE_SAMESITE
  LOGIN_MESSAGE
  LOGIN_MESSAGE_CATEGORY REFRESH_MESSAGE REFRESH_MESSAGE_CATEGORY ID_ATTRIBUTE AUTH_HEADER_NAME SESSION_KEYS
  EXEMPT_METHODS
  USE_SESSION_FOR_NEXT user_logged_in user_logged_out user_loaded_from_cookie user_loaded_from_header
  user_loaded_from_request
  user_login_confirmed user_unauthorized user_needs_refresh user_accessed session_protected current_user login_url
  login_fresh
  login_remembered login_user logout_user confirm_login encode_cookie decode_cookie make_next_param login_required
  fresh_login_required set_login_view FlaskLoginClient
  init_app setup_app unauthorized unauthorized_handler unauthorized_callback needs_refresh needs_refresh_handler
  needs_refresh_callback user_loader user_callback request_loader request_callback header_loader reload_user
  anonymous_user
  login_view blueprint_login_views login_message login_message_category refresh_view needs_refresh_message
  needs_refresh_message_category session_protection localize_callback id_attribute
  is_active is_authenticated is_anonymous get_id
  REMEMBER_COOKIE_NAME REMEMBER_COOKIE_DOMAIN REMEMBER_COOKIE_PATH REMEMBER_COOKIE_DURATION REMEMBER_COOKIE_SECURE
  REMEMBER_COOKIE_HTTPONLY REMEMBER_COOKIE_SAMESITE REMEMBER_COOKIE_REFRESH_EACH_REQUEST SESSION_PROTECTION
  LOGIN_DISABLED
  Session initialize secret_key cookie_options with_session SessionDict save delete update get encode decode Login fresh
  __call__ get_current_user redirect_url
`.trim().split(/\s+/)

// A process and three programs to compile take longer where the machine is busy.
t.setTimeout(120_000)

t.test('the first example runs as it is, and answers as the README shows', async (t) => {
  const port = await freePort()
  const here = (text: string) => text.replaceAll('3000', String(port))
  t.ok(first.includes('port: 3000'), 'the port is the only thing this test changes')
  t.match(readme, 'npx tsx app.mts')
  const dir = t.testdir({ 'app.mts': here(first) })
  await start(t, join(dir, 'app.mts'), { SESSION_SECRET: 'the secret of the first README example' })

  const calls = blocks('console').map(here).join('').split(/^\$ /m).filter((call) => call !== '')
  t.equal(calls.length, 3)
  const jars = new Map<string, string>()
  for (const call of calls) {
    const [command = '', ...shown] = call.split('\n')
    t.equal(await curl(command, jars), shown.join('\n'), command)
  }

  await t.test('remember-me, fresh pages and logout work in it too', async (t) => {
    const remembered = jars.get('jar')!.split('; ').filter((cookie) => cookie.startsWith('_remember=')).join('')
    jars.set('back', remembered)
    const at = `'%{http_code} %{redirect_url}' localhost:${port}`
    t.equal(await curl(`curl -b back localhost:${port}/dashboard`, jars), 'Hi Ann\n')
    t.equal(await curl(`curl -b back -w ${at}/settings`, jars), `302 http://localhost:${port}/login?next=%2Fsettings`)
    t.equal(await curl(`curl -b jar localhost:${port}/settings`, jars), 'Only for those who have just signed in\n')
    t.equal(await curl(`curl -b jar -c jar -d '' -w ${at}/logout`, jars), `302 http://localhost:${port}/login`)
    t.equal(jars.get('jar'), '_remember=; session=')
    t.match(await curl(`curl -w ${at}/login -d name=ann -d password=wrong`, jars), 'Wrong name or password401 ')
    t.match(await curl(`curl -w ${at}/login -d name=ann`, jars), '400 ')
  })
})

t.test('every other example of the README type-checks', async (t) => {
  const files = Object.fromEntries([first, ...others].map((text, index) => [
    `example-${index}.ts`, `${text}\nexport {}\n`
  ]))
  const dir = t.testdir({ ...files, 'given.d.ts': GIVEN })
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile('tsconfig.json', ts.sys.readFile).config,
    ts.sys,
    process.cwd()
  )
  const program = ts.createProgram(
    [...Object.keys(files), 'given.d.ts'].map((name) => join(dir, name)),
    { ...options, noEmit: true }
  )
  t.ok(others.length > 10)
  const problems = ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const line = file?.text.slice(start).split('\n')[0]
    return `${file?.fileName.replace(dir, '')}: ${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
  t.strictSame(problems, [])
})

t.test('the examples in the folder type-check', async (t) => {
  const config = ts.getParsedCommandLineOfConfigFile('examples/tsconfig.json', { noEmit: true }, {
    ...ts.sys, onUnRecoverableConfigFileDiagnostic: t.fail
  })!
  t.ok(config.fileNames.length > 2)
  const program = ts.createProgram(config.fileNames, config.options)
  t.strictSame(
    ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
    []
  )
})

t.test('every error has a line in the README that says how to solve it', async (t) => {
  const codes = [...readFileSync('src/errors.ts', 'utf8').matchAll(/FST_LOGIN_\w+/g)].map(([code]) => code)
  t.ok(codes.length > 10)
  const rows = readme.split('\n').filter((line) => line.startsWith('| `FST_LOGIN_'))
  t.strictSame(rows.map((row) => /FST_LOGIN_\w+/.exec(row)![0]).sort(), [...new Set(codes)].sort())
  for (const row of rows) t.equal(row.split(' | ').length, 4, row)
})

t.test('every option and every public member has its place in the README', async (t) => {
  const files = ['fastify', 'options/options', 'options/arguments', 'session/proxy']
  const text = files.map((file) => readFileSync(`src/${file}.ts`, 'utf8')).join('\n')
  const source = ts.createSourceFile('types.ts', text, ts.ScriptTarget.ESNext, true)
  const members = (name: string): string[] => {
    const found: string[] = []
    const visit = (node: ts.Node): void => {
      if (ts.isInterfaceDeclaration(node) && node.name.text === name) {
        for (const { name } of node.members) if (name !== undefined) found.push(name.getText())
      }
      ts.forEachChild(node, visit)
    }
    visit(source)
    return found
  }
  const tables = readme.split('\n').filter((line) => line.startsWith('| `'))
    .map((line) => line.split(' | ')[0]!.slice(2))
  const inTable = (option: string) => tables.some((cell) => new RegExp(`(^|[\`. ])${option}[\`(]`).test(cell))

  const expected = {
    FastifyLoginOptions: (name: string) => tables.some((cell) => new RegExp(`^\`${name}[\`(]`).test(cell)),
    LoginSessionOptions: (name: string) => inTable(`session\\.${name}`),
    RememberOptions: (name: string) => inTable(`remember\\.${name}`),
    CookieAttributes: (name: string) => inTable(`cookie\\.${name}`),
    GuardFreshOptions: inTable,
    GuardOptions: inTable,
    LoginUserOptions: inTable,
    CookiesForOptions: inTable,
    LoginSession: inTable,
    JwtSessionOptions: (name: string) => readme.includes(`\`${name}\``),
    Login: (name: string) => readme.includes(`login.${name}`) || new RegExp(`\`${name}[\`(]`).test(readme),
    FastifyRequest: (name: string) => readme.includes(`request.${name}`),
    FastifyReply: (name: string) => readme.includes(`reply.${name}`)
  }
  for (const [type, has] of Object.entries(expected)) {
    const names = members(type)
    t.ok(names.length > 0, `${type} is among the public types`)
    t.strictSame(names.filter((name) => !has(name)), [], type)
  }
  const events = readFileSync('src/events.ts', 'utf8')
    .split('export interface LoginEvents {')[1]!.split('\n}')[0]!.matchAll(/^ {2}(\w+):/gm)
  for (const [, event] of events) t.ok(readme.includes(`\n| \`${event}\` |`), `event ${event}`)
})

t.test('every public name of Flask-Login and microdot is told what it is here', async (t) => {
  const chapter = readme.slice(readme.indexOf('## Coming from'), readme.indexOf('What behaves better:'))
  const old = chapter.split('\n').filter((line) => line.startsWith('| ')).map((line) => line.split(' | ')[0]).join('\n')
  t.strictSame(PREDECESSORS.filter((name) => !new RegExp(`\\b${name}\\b`).test(old)), [])
})

t.test('the links of the README lead somewhere', async (t) => {
  const anchors = [...readme.matchAll(/^#+ (.*)$/gm)].map(
    ([, title]) => title!.toLowerCase().replace(/[^\w -]/g, '').replaceAll(' ', '-')
  )
  for (const [, anchor] of readme.matchAll(/\]\(#([^)]+)\)/g)) t.ok(anchors.includes(anchor!), `#${anchor}`)
  for (const [, file] of readme.matchAll(/\]\(((?!#|https?:)[^)]+)\)/g)) t.ok(ts.sys.fileExists(file!), file!)
})

t.test('the commands of the README are those of package.json', async (t) => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
  t.equal(scripts.start, 'tsx examples/basic.ts')
  t.match(scripts.test, /lint.*check:types.*test:unit.*test:types.*check:pack/)
})

async function freePort (): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/**
 * What curl would print, as far as the README uses it: -d, -w, -b and -c. fetch() would not do: it says that it is no browser.
 */
async function curl (command: string, jars: Map<string, string>): Promise<string> {
  const [program, ...words] = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!)
  if (program !== 'curl') throw new Error(`not a curl command: ${command}`)
  const given: { [option: string]: string[] } = {}
  let url = ''
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === '-s') continue
    if (/^-[dwbc]$/.test(word)) (given[word] ??= []).push(words.shift()!)
    else url = `http://${word}`
  }
  const cookie = jars.get(given['-b']?.[0] ?? '')
  const form = given['-d']?.join('&')
  const headers = {
    accept: '*/*',
    ...cookie === undefined ? {} : { cookie },
    ...form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }
  }
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, {
      method: form === undefined ? 'GET' : 'POST', headers, agent: false
    }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => { body += text }).on('error', reject).on('end', () => {
        if (given['-c'] !== undefined) {
          jars.set(given['-c'][0]!, (response.headers['set-cookie'] ?? []).map((line) => line.split(';')[0]).join('; '))
        }
        const { location } = response.headers
        const written = (given['-w']?.[0] ?? '').replace('\\n', '\n')
          .replace('%{http_code}', String(response.statusCode))
          .replace('%{redirect_url}', location === undefined ? '' : new URL(location, url).href)
        resolve(body + written)
      })
    })
    sent.on('error', reject).end(form)
  })
}
