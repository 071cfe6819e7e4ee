import { createHash } from 'node:crypto'
import type { UserId } from '../tokens/claims.js'

/** Longer ones would not fit into the index of every database. */
const MAX_KEY = 255

/**
 * A user id as a key of at most 255 printable ASCII characters, so that no database's encoding or collation can mix up two
 * users: JSON, which keeps 1 and "1" apart, with everything else escaped; a digest where that is too long.
 */
export function userKey (userId: UserId): string {
  const key = JSON.stringify(userId).replace(/[^ -~]/g, (unit) => '\\u' + unit.charCodeAt(0).toString(16).padStart(4, '0'))
  return key.length <= MAX_KEY ? key : 'sha256:' + createHash('sha256').update(key).digest('base64url')
}

/** The text without what databases refuse or replace: NUL, and halves of surrogate pairs. */
export function storable (text: string): string {
  return Buffer.from(text).toString().replaceAll('\0', '\uFFFD')
}
