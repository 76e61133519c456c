import type { Queryable } from '@headrace/database'
import { type OnBackgroundError, type Running, startSweep } from '@headrace/runtime'

export interface LiveRetentionOptions {
  /** Events are kept so long, in ms. */
  readonly retentionMs: number
  /** Pause between sweeps in ms. */
  readonly everyMs: number
  readonly onError: OnBackgroundError
}

/** Most events that one statement deletes, so that it never holds many locks for long. */
const batchEvents = 1_000

/** Removes old events now and then. Any number of processes may do so side by side. */
export function startLiveRetention(database: Queryable, options: LiveRetentionOptions): Running {
  const { retentionMs, everyMs, onError } = options
  const sweep = () => removeOldEvents(database, retentionMs)
  return startSweep({ name: 'live retention', sweep, batchSize: batchEvents, everyMs, onError })
}

/** Deletes events older than `retentionMs`, the oldest first, at most `limit` (default 1 000); returns how many. */
export async function removeOldEvents(
  database: Queryable,
  retentionMs: number,
  limit: number = batchEvents,
): Promise<number> {
  const { rowCount } = await database.query({
    name: 'live.retention',
    // A plan made while there are few events would read all of them later.
    replan: true,
    // The array is made once, where a join might read the limited rows again.
    text: `delete from headrace.live_event where ctid = any(array(
             select ctid from headrace.live_event where at < now() - $1 * interval '1 ms'
               order by at, seq limit $2 for update skip locked))`,
    values: [retentionMs, limit],
  })
  return rowCount
}
