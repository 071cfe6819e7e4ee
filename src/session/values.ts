/** The application's values of one request. */
export type Values = Map<string, unknown>

/** What JSON makes of them, in a token. */
export type PlainValues = { readonly [key: string]: unknown }

/** A copy, by JSON, as claims are shared between requests. A Map, so that `__proto__` is a key like any other. */
export function valuesFrom (data: PlainValues = {}): Values {
  return new Map(Object.entries(JSON.parse(JSON.stringify(data))))
}

/** What goes into the token. */
export function plain (values: Values): PlainValues {
  return Object.fromEntries([...values].filter(([key, value]) => value !== undefined && !isEmptyFlash(key, value)))
}

/** `@fastify/flash` leaves an empty object behind whenever somebody looks for messages. */
function isEmptyFlash (key: string, value: unknown): boolean {
  return key === 'flash' && typeof value === 'object' && value !== null && Object.keys(value).length === 0
}
