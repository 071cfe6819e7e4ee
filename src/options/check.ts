import { Ajv } from 'ajv'
import type { ErrorObject, ValidateFunction } from 'ajv'
import { kindOf } from '../errors.js'
import { nearest } from './did-you-mean.js'

/*
 * Plain values are described once, as JSON schema, and checked by Fastify's own validator. `expects` says the rule in
 * words, for the message; a misspelt name or mode is answered with the nearest right one.
 */

type Expectation = { expects: string }
type Primitive<V> =
  V extends (...args: never[]) => unknown ? { typeof: 'function' }
    : V extends boolean ? { type: 'boolean' }
      : V extends number ? { type: 'integer', minimum?: number, maximum?: number }
        : V extends string ? { type: 'string', minLength?: number, pattern?: string } | { check: Check }
          : V extends null ? { type: 'null' }
            : V extends readonly (infer Item)[] ? { type: 'array', items: Primitive<Item> & Expectation }
              : { check: Check } | { type: 'object' } | Nested<V>

type Nested<V> = {
  type: 'object', additionalProperties: false, properties: SchemaFor<V>, required?: readonly (keyof V & string)[]
}
type OneOf<V> = { enum: readonly V[] }
type AnyOf<V> = { anyOf: readonly ((Primitive<V> | OneOf<V>) & Partial<Expectation>)[] }
type Rule<V> = (OneOf<V> | Primitive<V> | AnyOf<V>) & Expectation

/** A schema with one rule for every key of `T` and no other: type and schema cannot drift apart. */
export type SchemaFor<T> = { readonly [K in keyof Required<T>]: Rule<Exclude<Required<T>[K], undefined>> }

/** Checks no JSON schema can say. */
const checks = {
  secret: (value: unknown) => isKey(value) || (Array.isArray(value) && value.length > 0 && value.every(isKey)),
  page: (value: unknown) => typeof value === 'string' && (isOwnPath(value) || isWebUrl(value)),
  origin: (value: unknown) => typeof value === 'string' && isWebUrl(value),
  store: (value: unknown) => typeof value === 'object' && value !== null &&
    storeMethods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function')
} as const
type Check = keyof typeof checks

export const storeMethods = ['create', 'find', 'touch', 'rotate', 'delete', 'list', 'deleteAll'] as const

const isKey = (value: unknown) => (typeof value === 'string' && value !== '') || value instanceof Uint8Array
const isOwnPath = (value: string) => /^\/(?![/\\])[^\\\p{Cc}]*$/u.test(value)

function isWebUrl (value: string): boolean {
  return /^https?:\/\//i.test(value) && URL.canParse(value)
}

const ajv = new Ajv({
  meta: false,
  validateSchema: false,
  allErrors: true,
  verbose: true,
  strict: true,
  allowUnionTypes: true,
  allowMatchingProperties: true
})
ajv.addKeyword({ keyword: 'expects', schemaType: 'string' })
ajv.addKeyword({
  keyword: 'typeof',
  schemaType: 'string',
  validate: (_expected: 'function', value: unknown) => typeof value === 'function'
})
ajv.addKeyword({
  keyword: 'check',
  schemaType: 'string',
  validate: (name: Check, value: unknown) => checks[name](value)
})

/** Says every problem of a value with these options, each as one sentence; an empty list where there is none. */
export type Checker = (value: object) => string[]

/** A checker for an options object. `open`: unknown names are left to the caller. */
export function checkerFor<T> (properties: SchemaFor<T>, { open = false } = {}): Checker {
  let validate: ValidateFunction | undefined
  return (value) => {
    validate ??= ajv.compile({ type: 'object', additionalProperties: open, properties })
    if (validate(defined(value))) return []
    return problems(validate.errors!)
  }
}

/** A copy without keys that are `undefined`, one level down too: giving `undefined` is giving nothing. */
export function defined<T extends object> (value: T): T {
  return Object.fromEntries(Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .map(([key, item]) => [key, isPlain(item) ? defined(item) : item])) as T
}

function isPlain (value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

function problems (errors: readonly ErrorObject[]): string[] {
  const sentences = new Map<string, string>()
  for (const error of errors) {
    if (error.keyword === 'additionalProperties') {
      const path = optionName(`${error.instancePath}/${error.params.additionalProperty}`)
      const known = Object.keys((error.parentSchema as { properties: object }).properties)
      sentences.set(path, unknownOption(path, nearest(error.params.additionalProperty, known), known))
    } else {
      // Branches of an anyOf carry no words of their own: the rule above them speaks.
      const expects = (error.parentSchema as Partial<Expectation>).expects
      const path = optionName(error.instancePath)
      if (expects !== undefined) {
        sentences.set(path, `${path} must be ${expects}, got ${described(path, error.data)}${meant(error)}`)
      }
    }
  }
  return [...sentences.values()]
}

export function unknownOption (path: string, meant: string | undefined, known: readonly string[] = []): string {
  return `${path} is not an option${meant === undefined ? `; known: ${known.join(', ')}` : `, did you mean ${meant}?`}`
}

/** `/session/idleSeconds` → `session.idleSeconds` */
const optionName = (pointer: string) => pointer.slice(1).replaceAll('/', '.')

/** What arrived; never what a secret says. */
function described (path: string, value: unknown): string {
  if (path.startsWith('secret')) return Array.isArray(value) ? `a list of ${value.length}` : kindOf(value)
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60))
  return typeof value === 'object' || typeof value === 'function' ? kindOf(value) : String(value)
}

function meant (error: ErrorObject): string {
  const schema = error.parentSchema as { enum?: unknown[] }
  if (typeof error.data !== 'string' || schema.enum === undefined) return ''
  const word = nearest(error.data, schema.enum.filter((one) => typeof one === 'string'))
  return word === undefined ? '' : `, did you mean "${word}"?`
}
