import t from 'tap'
import { guard, guardAnonymous, guardFresh } from '../../src/index.js'
import type { Login } from '../../src/index.js'
import { build } from '../support/app.js'

t.test('a guard with options that make no sense is not made', async (t) => {
  const { login } = await build()
  const makers: Pick<Login, 'guard' | 'guardFresh' | 'guardAnonymous'>[] = [
    login, { guard, guardFresh, guardAnonymous }
  ]
  const wrong: [call: 'guard' | 'guardFresh' | 'guardAnonymous', options: object, message: RegExp][] = [
    ['guard', { logunUrl: '/x' }, /guard\(\): logunUrl is not an option, did you mean loginUrl\?/],
    ['guard', { nostore: true }, /did you mean noStore/],
    ['guard', { alow: () => true }, /did you mean allow/],
    ['guard', { maxAgeSeconds: 60 }, /maxAgeSeconds is not an option; known: loginUrl, allow, noStore, redirect/],
    ['guard', { redirectUrl: '/x' }, /redirectUrl is not an option/],
    [
      'guard', { redirect: 'alway' },
      /redirect must be one of "auto", "always", "never", got "alway", did you mean "always"/
    ],
    ['guard', { redirect: true }, /redirect must be one of .* got true/],
    ['guard', { allow: true }, /allow must be a function, got true/],
    ['guard', { allow: ['admin'] }, /allow must be a function/],
    ['guard', { noStore: 'no' }, /noStore must be true or false, got "no"/],
    ['guard', { loginUrl: '' }, /loginUrl must be a path that begins with a single \//],
    ['guard', { loginUrl: false }, /loginUrl must be/],
    ['guard', { loginUrl: 'login' }, /loginUrl must be/],
    ['guard', { loginUrl: '//evil.example' }, /loginUrl must be/],
    ['guard', { loginUrl: '/\\evil.example' }, /loginUrl must be/],
    ['guard', { loginUrl: '/x\r\ny' }, /loginUrl must be/],
    ['guard', { loginUrl: 'javascript:alert(1)' }, /loginUrl must be/],
    ['guard', { alow: 1, redirect: 'x' }, /alow.*redirect|redirect.*alow/],
    ['guardFresh', { maxAgeSecond: 60 }, /guardFresh\(\): maxAgeSecond is not an option, did you mean maxAgeSeconds\?/],
    ['guardFresh', { maxAgeSeconds: '60' }, /maxAgeSeconds must be a whole number of at least 0, got "60"/],
    ['guardFresh', { maxAgeSeconds: -1 }, /maxAgeSeconds must be/],
    ['guardFresh', { maxAgeSeconds: 1.5 }, /maxAgeSeconds must be/],
    ['guardFresh', { maxAgeSeconds: NaN }, /maxAgeSeconds must be/],
    ['guardFresh', { maxAgeSeconds: Infinity }, /maxAgeSeconds must be/],
    ['guardFresh', { refreshUrl: 7 }, /refreshUrl must be/],
    [
      'guardAnonymous', { redirectURL: '/' },
      /guardAnonymous\(\): redirectURL is not an option, did you mean redirectUrl\?/
    ],
    ['guardAnonymous', { redirectUrl: '' }, /redirectUrl must be/],
    ['guardAnonymous', { redirectUrl: null }, /redirectUrl must be/]
  ]
  for (const by of makers) {
    for (const [call, options, message] of wrong) {
      t.throws(
        () => by[call](options),
        { code: 'FST_LOGIN_INVALID_OPTIONS', message },
        `${call}(${Object.keys(options).join()})`
      )
    }
  }
})

t.test('options that are undefined are options not given, and the caller\'s object stays as it is', async (t) => {
  const app = await build({ loginUrl: '/sign-in' })
  const options = Object.freeze({ loginUrl: undefined, allow: undefined, noStore: undefined, redirect: undefined })
  app.get('/', { preHandler: app.login.guard(options) }, async () => 'passed')
  app.get(
    '/fresh',
    { preHandler: guardFresh(Object.freeze({ ...options, maxAgeSeconds: undefined, refreshUrl: undefined })) },
    async () => 'passed'
  )
  for (const url of ['/', '/fresh']) {
    t.match(await app.inject(url), {
      statusCode: 302, headers: { location: /^\/sign-in\?/, 'cache-control': 'no-store' }
    })
  }
})
