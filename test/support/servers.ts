import { connect } from 'node:net'

/** The real servers the suite talks to; each can be moved by its variable. */
export const servers = {
  Redis: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379',
  PostgreSQL: process.env.POSTGRES_URL ?? 'postgres://postgres@127.0.0.1:5432/test',
  MariaDB: process.env.MYSQL_URL ?? 'mysql://root@127.0.0.1:3306/test'
} as const

export type Server = keyof typeof servers

/** Whether something listens there. */
export function isThere (server: Server): Promise<boolean> {
  const { hostname, port } = new URL(servers[server])
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), timeout: 2000 })
    const settle = (there: boolean) => () => {
      socket.destroy()
      resolve(there)
    }
    socket.once('connect', settle(true)).once('error', settle(false)).once('timeout', settle(false))
  })
}

export function serversFound () {
  return Promise.all((Object.keys(servers) as Server[]).map(async (name) => ({
    name, url: servers[name].replace(/\/\/.*@/, '//'), there: await isThere(name)
  })))
}
