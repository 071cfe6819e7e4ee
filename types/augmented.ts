/** What an application adds once; every type test sees it. */
declare module 'fastify' {
  interface LoginUser { id: number, name: string, isActive?: boolean }
  interface LoginSessionData { cart: string[], visits: number }
}

export interface Admin { id: string, rights: Set<string> }
