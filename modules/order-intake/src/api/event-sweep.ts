import type { Queryable } from '@headrace/database'
import { type OnBackgroundError, type Running, startSweep } from '@headrace/runtime'
import { sweepEvents } from '../store/events.ts'

export interface EventSweepNeeds {
  readonly database: Queryable
  readonly onError: OnBackgroundError
  /** Rows deleted at a time; 10 000 unless given. */
  readonly batchSize?: number
}

/** Pause in ms between two looks. */
const everyMs = 60_000

/** Deletes the events of which nobody asks any more, in bounded batches, as fast as they come. */
export function startEventSweep({ database, onError, batchSize = 10_000 }: EventSweepNeeds): Running {
  const sweep = () => sweepEvents(database, batchSize)
  return startSweep({ name: 'order-intake sweep', sweep, batchSize, everyMs, onError })
}
