import { deepStrictEqual } from 'node:assert'
import type { LoginStore } from '../../../src/index.js'
import { memoryStore } from '../../../src/stores/memory.js'
import { Browser } from '../browser.js'
import { Clock, START } from '../clock.js'
import { site } from '../site.js'
import { methods } from './faulty.js'
import { copyAt } from './over-store.js'

/** Which of the two instances a request goes to. */
export type Server = 0 | 1

/** Two instances of one application on one store and one clock, which begin anew with `reset()`. */
export async function twoInstances (
  options: { rememberGraceSeconds: number, storeCheckSeconds: number, session: { idleSeconds: number } }
) {
  const clock = new Clock()
  let records = memoryStore()
  const relay = (method: keyof LoginStore) =>
    (...args: never[]) => (records[method] as (...args: never[]) => unknown)(...args)
  const store = Object.fromEntries(methods.map((method) => [method, relay(method)])) as unknown as LoginStore
  const [one, two] = [
    await site({ store, clock: clock.read, ...options }), await site({ store, clock: clock.read, ...options })
  ]
  const told = { reuse: 0, restore: 0 }
  for (const { app } of [one, two]) {
    app.login.on('reuse', () => { told.reuse++ })
    app.login.on('restore', () => { told.restore++ })
  }
  return {
    clock,
    apps: [one.app, two.app] as const,
    user: one.user,
    told,
    reset (): void {
      records = memoryStore()
      clock.now = START
      told.reuse = told.restore = 0
    }
  }
}

export type Instances = Awaited<ReturnType<typeof twoInstances>>

/** A request on its way: it left with these cookies, and arrives when the clock says so. */
interface Flight {
  sender: Browser
  server: Server
  arrives: number
  lost: boolean
  login: Login | null
}

/** What the model knows of a login: when it ended, and on which instance. */
interface Login { endedAt: number | null, endedOn: Server }

/** Ann's browser, whose requests take their time and whose responses may be lost; it checks each answer against what must be. */
export class SlowBrowser {
  readonly browser: Browser
  private login: Login | null = null
  private flights: Flight[] = []

  /** `lossy`: whether responses get lost at all. */
  constructor (
    private readonly instances: Instances, private readonly options: { storeCheckSeconds: number, lossy: boolean }
  ) {
    this.browser = new Browser(instances.apps[0])
  }

  /** Requests leave at once, with the same cookies. */
  fire (requests: readonly { server: Server, delay: number, lost: boolean }[]): void {
    for (const { server, delay, lost } of requests) {
      this.flights.push({
        sender: this.at(server),
        server,
        arrives: this.now + delay * 1000,
        lost: lost && this.options.lossy,
        login: this.login
      })
    }
  }

  /** Time goes by. What arrives meanwhile is answered at its own moment, what arrives at the same moment all at once. */
  async wait (seconds: number): Promise<void> {
    const until = this.now + seconds * 1000
    for (;;) {
      const next = Math.min(...this.flights.map(({ arrives }) => arrives))
      if (next > until) break
      this.instances.clock.now = next
      const arriving = this.flights.filter(({ arrives }) => arrives === next)
      this.flights = this.flights.filter(({ arrives }) => arrives !== next)
      await Promise.all(arriving.map((flight) => this.answer(flight)))
    }
    this.instances.clock.now = until
  }

  /** Session cookies go. */
  restart (): void {
    this.browser.close()
  }

  /** The browser leaves its page: what is on its way still arrives, and nobody waits for the answer any more. */
  async signIn (server: Server): Promise<void> {
    if (!this.options.lossy) await this.settle()
    for (const flight of this.flights) flight.lost = true
    this.browser.receive(await this.at(server).signIn(this.instances.user('ann'), { remember: true }))
    this.end(server)
    this.login = { endedAt: null, endedOn: server }
  }

  async signOut (server: Server, lost: boolean): Promise<void> {
    const response = await this.at(server).signOut()
    if (!lost || !this.options.lossy) this.browser.receive(response)
    this.end(server)
  }

  async revoke (server: Server): Promise<void> {
    await this.instances.apps[server].login.revokeAll('ann')
    this.end(server)
  }

  /** Until everything has arrived that is on its way. */
  settle (): Promise<void> {
    return this.wait(Math.max(0, ...this.flights.map(({ arrives }) => (arrives - this.now) / 1000)))
  }

  /** Where no response was lost there is no record but the one its cookies name. */
  async checkOwners (): Promise<void> {
    if (this.options.lossy) return
    const sids = (await this.instances.apps[0].login.list('ann')).map(({ sid }) => sid)
    const state = await this.at(0).who()
    deepStrictEqual(sids, state.user === null ? [] : [state.sid], 'a record without owner')
  }

  private get now (): number {
    return this.instances.clock.now
  }

  /** This browser, as one of the instances sees it now. */
  private at (server: Server): Browser {
    return copyAt(this.instances.apps[server], this.browser)
  }

  private end (endedOn: Server): void {
    if (this.login === null || this.login.endedAt !== null) return
    this.login.endedAt = this.now
    this.login.endedOn = endedOn
  }

  private async answer (flight: Flight): Promise<void> {
    const response = await flight.sender.get('/who')
    deepStrictEqual(response.statusCode, 200)
    this.check(flight, response.json().user)
    if (!flight.lost) this.browser.receive(response)
  }

  private check ({ login, server }: Flight, user: unknown): void {
    if (login === null) return deepStrictEqual(user, null, 'nobody has signed in')
    if (login.endedAt === null) return deepStrictEqual(user, 'ann', 'the only browser there is was logged out')
    if (login.endedOn === server || this.now - login.endedAt >= this.options.storeCheckSeconds * 1000) {
      deepStrictEqual(user, null, 'an ended login was accepted')
    }
  }
}
