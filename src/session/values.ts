/** The application's values of one request. */
export type Values = Map<string, unknown>

/** A Map, so that `__proto__` is a key like any other. */
export function valuesFrom (json: string): Values {
  return new Map(Object.entries(JSON.parse(json)))
}

/** What goes into the token. `@fastify/flash` leaves an empty object behind whenever somebody looks for messages. */
export function plain (values: Values): Record<string, unknown> {
  return Object.fromEntries([...values].filter(([key, value]) =>
    value !== undefined && !(key === 'flash' && typeof value === 'object' && value !== null && Object.keys(value).length === 0)))
}

export function largestKeys (data: object): string {
  const bytes = (value: unknown) => JSON.stringify(value)?.length ?? 0
  const ranked = Object.entries(data).sort(([, a], [, b]) => bytes(b) - bytes(a)).slice(0, 3)
  return ranked.map(([key, value]) => `${key} (${bytes(value)})`).join(', ') || 'none'
}
