interface Cookie { value: string, attributes: Record<string, string | true> }
export interface Answer {
  status: number
  location: string | null
  text: string
  set: Record<string, Cookie>
  headers: Headers
}

/** A browser over real HTTP, for processes of their own: follows no redirect, keeps each Set-Cookie line as it was sent. */
export class HttpBrowser {
  jar = new Map<string, Cookie>()

  constructor (private readonly address: string) {}

  async send (path: string, init: RequestInit = {}): Promise<Answer> {
    const cookie = [...this.jar].map(([name, { value }]) => `${name}=${value}`).join('; ')
    const headers = { accept: 'text/html', ...cookie === '' ? {} : { cookie } }
    const response = await fetch(new URL(path, this.address), { redirect: 'manual', headers, ...init })
    const lines = response.headers.getSetCookie().map(parse)
    const set = Object.fromEntries(lines)
    if (lines.length !== Object.keys(set).length) throw new Error('two Set-Cookie lines have one name')
    for (const [name, cookie] of lines) {
      if (cookie.attributes['Max-Age'] === '0') this.jar.delete(name)
      else this.jar.set(name, cookie)
    }
    return {
      status: response.status,
      location: response.headers.get('location'),
      text: await response.text(),
      set,
      headers: response.headers
    }
  }

  submit (path: string, fields: Record<string, string> = {}): Promise<Answer> {
    return this.send(path, { method: 'POST', body: new URLSearchParams(fields) })
  }

  /** Session cookies go, those with a lifetime stay. */
  close (): void {
    for (const [name, { attributes }] of this.jar) if (attributes['Max-Age'] === undefined) this.jar.delete(name)
  }
}

function parse (line: string): [string, Cookie] {
  const [pair = '', ...rest] = line.split('; ')
  const attributes = rest.map((attribute) => attribute.split('=')).map(([name, value]) => [name, value ?? true])
  const at = pair.indexOf('=')
  return [pair.slice(0, at), { value: pair.slice(at + 1), attributes: Object.fromEntries(attributes) }]
}
