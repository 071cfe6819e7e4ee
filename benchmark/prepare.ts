import { Helper } from './processes.js'
import { Server } from './rounds.js'
import type { Prepare } from './rounds.js'

/** Every user signs in over HTTP and comes back with the cookies of that login. */
export const signedIn: Prepare = async ({ key, port, users, guards }, load) => {
  const cookies = await load.ask<string[]>('logIn', { port, users })
  await load.ask('visit', { key, port, cookies: cookies.map((cookie) => cookie === '' ? null : cookie) })
  if (!guards) return

  const told = await load.ask<unknown[]>('whoAmI', { port, cookies: [...cookies, null] })
  const expected = [...cookies.map((_, index) => `u${index}`), 401]
  if (JSON.stringify(told) !== JSON.stringify(expected)) {
    throw new Error(`${key} does not do the work: ${JSON.stringify(told)}`)
  }
}

/** So many cookies, one login each, minted by another process with the same secret. */
export function minted (amountFor: (users: number) => number): Prepare {
  return async ({ key, port, users, entrant }, load) => {
    await load.ask('visit', { key, port, cookies: await mint(new Server(entrant), amountFor(users)) })
  }
}

/** The cookies of `amount` logins, the users in turn. Stops the server. */
export async function mint (server: Server, amount: number): Promise<string[]> {
  const logins = await server.ask<string[][]>('logIn', { amount, remember: false })
  await server.stop()
  return logins.map((lines) => lines.map((line) => line.slice(0, line.indexOf(';'))).join('; '))
}

/** The users sign in, again and again. */
export const signingIn = (remember: boolean): Prepare => async ({ key, port, users }, load: Helper) => {
  await load.ask('enter', { key, port, users, remember })
}
