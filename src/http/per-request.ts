import type { FastifyRequest } from 'fastify'

/** One thing for each request that somebody asks about it. */
export interface PerRequest<T> {
  /** Made when first asked for. */
  of (request: FastifyRequest): T
  /** Only if somebody asked before. */
  opened (request: FastifyRequest): T | undefined
  /** Something else in its place. */
  put (request: FastifyRequest, thing: T): void
}

/** Not decorated: that would cost every request a property, also those that never ask. */
export function perRequest<T> (name: string, make: (request: FastifyRequest) => T): PerRequest<T> {
  const key = Symbol(`fastify-login.${name}`)
  type Carrying = FastifyRequest & { [key]?: T }
  return {
    of: (request) => ((request as Carrying)[key] ??= make(request)),
    opened: (request) => (request as Carrying)[key],
    put: (request, thing) => { (request as Carrying)[key] = thing }
  }
}
