import type { Database } from '@headrace/database'
import { heldSince } from '@headrace/log'
import { type OnBackgroundError, type Running, startSweep } from '@headrace/runtime'
import { sweepResults } from './store/results.ts'

/** Pause in ms between two looks. */
const everyMs = 10_000
const batchSize = 5_000

/**
 * Deletes results, in bounded batches, once the log has dropped their messages: it drops whole hours, and none that
 * somebody has not passed. A message whose result went first would read as accepted, and its id be processed again.
 */
export function startResultSweep(database: Database, onError: OnBackgroundError): Running {
  const sweep = async () => sweepResults(database, await heldSince(database), batchSize)
  return startSweep({ name: 'result sweep', sweep, batchSize, everyMs, onError })
}
