import type { Login, LoginEvents } from '../../src/index.js'

const EVENTS = [
  'login', 'logout', 'restore', 'confirm', 'unauthorized', 'needsRefresh', 'protect', 'reuse', 'revoke', 'invalidToken'
] as const satisfies readonly (keyof LoginEvents)[]

/** Everything that login tells from now on, in order. */
export function listen (login: Login) {
  const heard: { event: keyof LoginEvents, payload: Record<string, unknown> }[] = []
  for (const event of EVENTS) login.on(event, (payload) => { heard.push({ event, payload: { ...payload } }) })
  return heard
}
