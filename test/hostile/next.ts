import type { FastifyLoginOptions } from '../../src/index.js'

/** The application that these tables are for. */
export const settings = {
  nextParam: 'back',
  loginUrl: '/sign-in?theme=dark',
  refreshUrl: '/confirm',
  publicOrigin: 'https://own.example',
  allowedOrigins: ['https://allowed.example/ignored', 'http://[::1]:8080']
} satisfies FastifyLoginOptions

/** Values it accepts, and how it spells them for Location. */
export const ACCEPTED: Record<string, string> = {
  '/': '/',
  '/dashboard?tab=2#top': '/dashboard?tab=2#top',
  '/a+b?q=a+b': '/a+b?q=a+b',
  '/a%2Bb?q=a%2Bb': '/a%2Bb?q=a%2Bb',
  '/ünï?cödé=ß#é': '/%C3%BCn%C3%AF?c%C3%B6d%C3%A9=%C3%9F#%C3%A9',
  '/日本/🔑': '/%E6%97%A5%E6%9C%AC/%F0%9F%94%91',
  '/／evil.example': '/%EF%BC%8Fevil.example',
  '/\u2028x': '/%E2%80%A8x',
  '/two words': '/two%20words',
  '/<script>"': '/%3Cscript%3E%22',
  '/%09/evil.example': '/%09/evil.example',
  '/%5Cevil.example': '/%5Cevil.example',
  '/%2f/evil.example': '/%2f/evil.example',
  '/%0d%0aset-cookie:%20a=b': '/%0d%0aset-cookie:%20a=b',
  '/%': '/%',
  '/a//b': '/a//b',
  '/a/../b/./c': '/b/c',
  '/a/%2E%2e/b': '/b',
  '/@evil.example': '/@evil.example',
  '/javascript:alert(1)': '/javascript:alert(1)',
  '/?url=//evil.example': '/?url=//evil.example',
  '/go?to=https://evil.example': '/go?to=https://evil.example',
  '/sign-in/': '/sign-in/',
  '/sign-in-help': '/sign-in-help',
  'https://allowed.example': 'https://allowed.example/',
  'HTTPS://Allowed.Example:443/ü': 'https://allowed.example/%C3%BC',
  'https://allowed.example/sign-in': 'https://allowed.example/sign-in',
  'http://[::1]:8080/x': 'http://[::1]:8080/x',
  'https://own.example/x?y': 'https://own.example/x?y',
  ['/'.padEnd(2048, 'a')]: '/'.padEnd(2048, 'a')
}

/** Values that lead elsewhere, back to the login page, or nowhere. */
export const REFUSED = [
  '', ' ', '.', 'dashboard', './dashboard', '../x', '?x', '#x', '\ufeff/x',
  '//evil.example', '///evil.example', '////evil.example', '//', '//evil.example/..', '//allowed.example',
  '//own.invalid/x',
  '/\\evil.example', '\\\\evil.example', '\\/evil.example', '/x\\y', '/\\/evil.example',
  '/\t/evil.example', '/\n/evil.example', '/\r/evil.example', '\t//evil.example', ' //evil.example', ' /x', '\u00a0/x',
  '/x\r\nset-cookie: a=b', '/\0', '/\u007f', '/\u0085',
  '/.//evil.example', '/./\t/evil.example', '/..//evil.example', '/x/..//evil.example',
  '/x/%2e%2e//evil.example', '/x/.%2E//evil.example', '/%2e//evil.example', '/x/y/../..//evil.example',
  'javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'java\tscript:alert(1)', 'vbscript:x', 'data:text/html,<script>',
  'mailto:a@b.example',
  'blob:https://allowed.example/1-2', 'filesystem:https://allowed.example/x', 'view-source:https://allowed.example',
  'file:///etc/passwd',
  'ws://allowed.example', 'ftp://allowed.example',
  'https:allowed.example', 'https:/allowed.example', 'http:/x', 'https:evil.example', 'https:x', 'http:', 'https://',
  'https://%', 'https://[',
  'https://evil.example', 'HTTPS://EVIL.EXAMPLE', 'https:////evil.example', 'https:///evil.example',
  'http://allowed.example', 'https://allowed.example:8443', 'https://allowed.example.', 'https://www.allowed.example',
  'https://allowed.example.evil.example', 'https://allowed.exampleevil.example', 'http://[::1]', 'http://[::1]:8081',
  'https://allowed.example@evil.example', 'https://evil.example#@allowed.example',
  'https://evil.example?@allowed.example',
  'https://evil.example\\@allowed.example', 'https://allowed.example\\.evil.example',
  'https://allowed.example\t.evil.example',
  'https://ann@allowed.example', 'https://ann:word@allowed.example', 'https://:word@allowed.example',
  'https://allowed.example//evil.example', 'https://allowed.example/x/..//evil.example',
  'http://own.example', 'https://own.example.evil.example', 'http://localhost/x', 'http://localhost:80/x',
  'http://own.invalid/x',
  '/sign-in', '/sign-in?', '/sign-in?back=/x', '/sign-in#x', '/x/../sign-in', 'https://own.example/sign-in',
  '/confirm', '/confirm?x', '/%2e/confirm', 'https://own.example/confirm#x',
  '/'.padEnd(2049, 'a'), '/'.padEnd(10_240, 'a'), '/'.padEnd(500, 'ü'), `/${'./'.repeat(1100)}x`,
  `https://allowed.example/${'"'.repeat(800)}`
]

/** Values a parser may make of a body. */
export const NOT_STRINGS: unknown[] = [
  undefined, null, 0, 1, NaN, true, false, 10n, Symbol('/x'), [], ['/x'], ['/x', '/y'], [['/x']], {},
  { 0: '/x', length: 1 },
  { toString: () => '/x' }, Object('/x'), new URL('https://allowed.example'), () => '/x', Buffer.from('/x')
]

/** What attacks are put together from. */
export const PARTS = [
  '/', '/', '\\', '.', '..', '%2e', '%2F', '%5c', '%09', '\t', '\n', '\0', ':', '@', '?', '#', ' ', ';',
  'https:', 'http:', 'javascript:', 'evil.example', 'allowed.example', 'own.example', 'own.invalid', 'sign-in',
  'x', 'ü', '\u2028', '\ud800', '[', ']', '／', '。'
]

/** Targets that a browser reads as another host. */
export const OTHER_HOSTS = [
  '//evil.example', '///evil.example', '/\\evil.example', '/\t/evil.example', '/\n/evil.example',
  '/%09/../..//evil.example', 'https://evil.example'
]

/** What a request line may ask for, and where a guard sends its sender: with a way back, or without one. */
export const REQUEST_TARGETS: [target: string, location: string][] = [
  ['/fine', '/login?next=%2Ffine'],
  ['//evil.example/x', '/login'],
  ['///evil.example', '/login'],
  ['/\\evil.example', '/login'],
  ['/.//evil.example', '/login'],
  ['/x/%2e%2e//evil.example', '/login'],
  ['http://evil.example/x', '/login'],
  ['http://own.example/x', '/login'],
  ['/"<>', '/login?next=%2F%2522%253C%253E'],
  [`/${'"'.repeat(1900)}`, '/login'],
  ['/x#y', '/login?next=%2Fx%23y'],
  ['*', '/login']
]
