import type { UserId } from '../tokens/claims.js'
import type { TokenState } from './rotation.js'
import type { SqlRow } from './sql-dialects.js'
import type { LoginRecord } from './store.js'
import { storable, userKey } from './user-key.js'

export function recordColumns ({ userId, sid, createdAt, lastSeenAt, expiresAt, userAgent, remember }: LoginRecord) {
  return {
    user_key: userKey(userId),
    sid,
    created_at: Math.floor(createdAt),
    last_seen_at: Math.floor(lastSeenAt),
    expires_at: Math.floor(expiresAt),
    user_agent: userAgent === null ? null : storable(userAgent),
    remember: remember ? 1 : 0
  }
}

export function recordOf (userId: UserId, row: SqlRow): LoginRecord {
  return {
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

/** A sid as the database can compare it: databases refuse some characters, and some ignore spaces. What is no sid is nobody's. */
export function comparable (sid: string): string {
  return /^[\w-]+$/.test(sid) ? sid : ''
}
