import type { Area } from '../area/area.js'
import { StoreRequiredError } from '../errors.js'
import { checkArguments } from '../options/rules.js'
import type { LoginRecord } from '../stores/store.js'
import type { UserId } from '../tokens/claims.js'

/** The calls that work on login records. */
export interface ListAndRevoke {
  list (userId: UserId): Promise<LoginRecord[]>
  revoke (userId: UserId, sid: string): Promise<boolean>
  revokeAll (userId: UserId, options?: { except?: string | undefined }): Promise<number>
}

export function createListAndRevoke (area: Area): ListAndRevoke {
  function recordsFor (call: keyof ListAndRevoke) {
    if (area.records === undefined) throw new StoreRequiredError(`login.${call}()`)
    return area.records
  }

  function tell (userId: UserId, sids: string[]): void {
    if (sids.length > 0) area.events.emit('revoke', { userId, sids })
  }

  return {
    list: async (userId) => await recordsFor('list').list(userId),

    async revoke (userId, sid) {
      const ended = await recordsFor('revoke').end(userId, sid)
      tell(userId, ended ? [sid] : [])
      return ended
    },

    async revokeAll (userId, options = {}) {
      checkArguments('revokeAll', options)
      const sids = await recordsFor('revokeAll').endAll(userId, options.except ?? null)
      tell(userId, sids)
      return sids.length
    }
  }
}
