import type { FastifyInstance } from 'fastify'
import type { FastifyLoginOptions } from '../../../src/index.js'
import { memoryStore } from '../../../src/stores/memory.js'
import { Browser } from '../browser.js'
import { listen } from '../events.js'
import { site } from '../site.js'
import { claimsOf } from '../tokens.js'
import type { TestUser } from '../users.js'
import { faulty } from './faulty.js'

/** A site over a store that can be made to fail, with all that the login tells. */
export async function siteOverStore (options: FastifyLoginOptions = {}, users: TestUser[] = []) {
  const faults = faulty(options.store ?? memoryStore())
  const made = await site({ rememberGraceSeconds: 20, ...options, store: faults.store }, users)
  const heard = listen(made.app.login)
  const errors: Error[] = []
  made.app.addHook('onError', async (_request, _reply, error) => { errors.push(error) })
  return {
    ...made,
    faults,
    heard,
    /** What requests ended with. */
    errors,
    /** Somebody with copies of the browser's cookies. */
    copyOf: (browser: Browser) => copyAt(made.app, browser),
    /** What was told since this was last asked, without the requests. */
    told: () => heard.splice(0).map(({ event, payload: { request, ...payload } }) => ({ event, ...payload })),
    sids: async (userId: string | number) => (await made.app.login.list(userId)).map(({ sid }) => sid)
  }
}

/** Somebody with copies of the browser's cookies, before that application. */
export function copyAt (app: FastifyInstance, browser: Browser): Browser {
  const copy = new Browser(app)
  for (const [name, cookie] of browser.jar) copy.jar.set(name, cookie)
  return copy
}

/** Closes the browser, and comes back: as whom? */
export async function comeBack (browser: Browser): Promise<unknown> {
  browser.close()
  return (await browser.who()).user
}

/** The login a browser's cookie names. */
export function sidOf (browser: Browser, cookie = 'session'): string {
  return String(claimsOf(browser.cookie(cookie)).sid)
}
