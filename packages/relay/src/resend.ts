import type { Database } from '@headrace/database'

export interface Resending {
  readonly topic: string
  /** Only this provider; default every one that the topic is or was carried to. */
  readonly provider?: string
  /** Only this partition of the log. */
  readonly partition?: number
  /** The first offset that is sent again; default behind the least position that any group has recorded. */
  readonly from?: number
}

/** One partition of one provider, and from which offset on it is sent again. */
export interface Resent {
  readonly provider: string
  readonly partition: number
  readonly from: number
}

/**
 * Has what a provider confirmed sent again, to mend a `LANE_GAP`: cursors go back, and whoever relays takes them anew.
 * Copies have no effect. Nothing is sent from before what the log still holds.
 */
export async function resend(database: Database, what: Resending): Promise<Resent[]> {
  return database.inTransaction(async (tx) => {
    const asked = [what.topic, what.provider ?? null, what.partition ?? null]
    await tx.query({
      text: `update headrace.lease l set owner = null, released = true, epoch = l.epoch + 1
             where topic = $1 and group_name like 'relay:%' and ($2::text is null or group_name = 'relay:' || $2)
               and ($3::int is null or partition = $3)`,
      values: asked,
    })
    const { rows } = await tx.query<Resent>({
      text: `update headrace.relay_cursor c
             set position = start.position, base = least(c.base, start.position), seen_until = '-infinity',
               epoch = l.epoch, updated_at = clock_timestamp()
             from headrace.lease l, headrace.log_head h
             cross join lateral (
               select greatest(
                 coalesce((select min("offset") from headrace.log held
                           where held.topic = h.topic and held.partition = h.partition), h.next_offset) - 1,
                 coalesce($4::bigint - 1, (select min(g.position) from headrace.log_cursor g
                   where g.topic = h.topic and g.partition = h.partition and g.group_name not like 'relay:%'), 0)) as position) as start
             where c.topic = $1 and ($2::text is null or c.provider = $2) and ($3::int is null or c.partition = $3)
               and h.topic = c.topic and h.partition = c.partition and start.position < c.position
               and l.group_name = 'relay:' || c.provider and l.topic = c.topic and l.partition = c.partition
             returning c.provider, c.partition, c.position + 1 as from`,
      values: [...asked, what.from ?? null],
    })
    return rows
  })
}

/** Forgets a provider that will not come back; retention does not wait for it any more. Tells how many cursors it had. */
export async function forgetProvider(database: Database, provider: string): Promise<number> {
  return database.inTransaction(async (tx) => {
    await tx.query({ text: 'delete from headrace.relay_health where provider = $1', values: [provider] })
    await tx.query({ text: 'delete from headrace.lease where group_name = $1', values: [`relay:${provider}`] })
    const { rowCount } = await tx.query({
      text: 'delete from headrace.relay_cursor where provider = $1',
      values: [provider],
    })
    return rowCount
  })
}
