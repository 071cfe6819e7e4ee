import { createHash } from 'node:crypto'
import type { TokenState } from './rotation.js'
import type { SqlRow } from './sql-dialects.js'
import type { LoginOwner, LoginRecord } from './store.js'
import { ownerKey, storable } from './owner-key.js'

/** Longer ones would not fit into the index of every database. */
const MAX_KEY = 255

/** What the index knows an owner by: the key, or a digest of one that is too long. */
export function userKey (owner: LoginOwner): string {
  const key = ownerKey(owner)
  return key.length <= MAX_KEY ? key : 'sha256:' + createHash('sha256').update(key).digest('base64url')
}

export function recordColumns (record: LoginRecord) {
  const { area, sid, createdAt, lastSeenAt, expiresAt, userAgent, remember } = record
  const [key, owner] = [userKey(record), ownerKey(record)]
  return {
    user_key: key,
    area,
    owner: key === owner ? null : owner,
    sid,
    created_at: Math.floor(createdAt),
    last_seen_at: Math.floor(lastSeenAt),
    expires_at: Math.floor(expiresAt),
    user_agent: userAgent === null ? null : storable(userAgent),
    remember: remember ? 1 : 0
  }
}

export function recordOf ({ area, userId }: LoginOwner, row: SqlRow): LoginRecord {
  return {
    area,
    sid: String(row.sid),
    userId,
    createdAt: Number(row.created_at),
    lastSeenAt: Number(row.last_seen_at),
    expiresAt: Number(row.expires_at),
    userAgent: row.user_agent as string | null,
    remember: Number(row.remember) === 1
  }
}

/** `retired` is text, "digest time digest time". */
export function tokenColumns ({ current, previous, replacedAt, retired }: TokenState) {
  return {
    current_digest: current,
    previous_digest: previous,
    replaced_at: Math.floor(replacedAt),
    retired: retired.map(({ digest, at }) => `${digest} ${Math.floor(at)}`).join(' ')
  }
}

export function tokensOf (row: SqlRow): TokenState {
  const retired = [...String(row.retired).matchAll(/(\S+) (\S+)/g)].map(([, digest, at]) => ({ digest: digest!, at: Number(at) }))
  return {
    current: row.current_digest as string | null,
    previous: row.previous_digest as string | null,
    replacedAt: Number(row.replaced_at),
    retired
  }
}
