import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import type { LoginUser } from 'fastify'

/** A password as a database would keep it. */
interface PasswordHash { salt: Buffer, hash: Buffer }

declare module 'fastify' {
  interface LoginUser { id: string, name: string, password: PasswordHash }
}

/** 16 MiB and a fifth of a second: one of the settings OWASP recommends for scrypt. */
const COST = { N: 2 ** 14, r: 8, p: 5 }

function derive (password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, 32, COST, (error, hash) => error === null ? resolve(hash) : reject(error))
  })
}

async function hashOf (password: string): Promise<PasswordHash> {
  const salt = randomBytes(16)
  return { salt, hash: await derive(password, salt) }
}

export const credentials = [
  { id: 'ann', name: 'Ann', password: 'correct horse' },
  { id: 'ben', name: 'Ben & Co.', password: 'battery staple' }
]

/** The user table of this example. */
export const users = new Map<unknown, LoginUser>()
for (const { id, name, password } of credentials) users.set(id, { id, name, password: await hashOf(password) })

const nobody = await hashOf(randomBytes(16).toString('hex'))

/** The user with this name and password, or `null`; an unknown name costs as much as a wrong password. */
export async function authenticate (id: string, password: string): Promise<LoginUser | null> {
  const user = users.get(id)
  const { salt, hash } = user?.password ?? nobody
  const matches = timingSafeEqual(await derive(password, salt), hash)
  return user !== undefined && matches ? user : null
}
