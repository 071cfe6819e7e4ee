import type { LoginOwner } from './store.js'

/**
 * Whose logins these are, as printable ASCII, so that no database's encoding or collation can mix up two users: JSON, which
 * keeps 1 and "1" apart, and both from what belongs to the area, with everything else escaped.
 */
export function ownerKey ({ area, userId }: LoginOwner): string {
  return ascii([area, userId])
}

function ascii (value: unknown): string {
  return JSON.stringify(value).replace(/[^ -~]/g, (unit) => '\\u' + unit.charCodeAt(0).toString(16).padStart(4, '0'))
}

/** The text without what databases refuse or replace: NUL, and halves of surrogate pairs. */
export function storable (text: string): string {
  return Buffer.from(text).toString().replaceAll('\0', '\uFFFD')
}
