import type { Database } from '@headrace/database'
import { memberAlive } from '@headrace/inbox'
import { PlatformError } from '@headrace/runtime'

/** What a group leaves behind that is forgotten. */
export interface Forgotten {
  /** Partitions whose cursors are gone. */
  readonly lanes: number
  /** Messages that waited or were set aside; they are gone, too. */
  readonly parked: number
}

/**
 * Forgets a group that will not come back: its cursors, here and as a reader from elsewhere, and what it had parked.
 * Retention then does not wait for it any more; one that comes back begins anew. Throws `NOT_FOUND`, and `FENCED` while
 * somebody reads for it.
 */
export async function forgetGroup(database: Database, group: string): Promise<Forgotten> {
  return database.inTransaction(async (tx) => {
    const deleted = async (table: string) => {
      const { rowCount } = await tx.query({
        text: `delete from headrace.${table} where group_name = $1`,
        values: [group],
      })
      return rowCount
    }
    const { rowCount: readers } = await tx.query({
      text: `select from headrace.lease l join headrace.member m on m.id = l.owner
             where l.group_name = $1 and ${memberAlive}`,
      values: [group],
    })
    if (readers > 0) throw new PlatformError('FENCED', `group '${group}' is being read for: stop its consumers first`)
    const leases = await deleted('lease')
    const lanes = (await deleted('lane')) + (await deleted('log_reader'))
    const parked = await deleted('parked_message')
    await deleted('parked_key')
    await deleted('carrier_position')
    if (leases + lanes + parked === 0) throw new PlatformError('NOT_FOUND', `there is no group '${group}'`)
    return { lanes, parked }
  })
}
