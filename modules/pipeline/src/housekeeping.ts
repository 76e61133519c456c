import type { Database } from '@headrace/database'
import { type OnBackgroundError, type Running, sleep, startLoop } from '@headrace/runtime'
import { sweepResults } from './store/results.ts'

/** Pause in ms between two looks; a full batch is followed by the next one at once. */
const everyMs = 10_000
const batchSize = 5_000

/** Deletes results that are older than the retention, in bounded batches. */
export function startResultSweep(database: Database, retentionMs: number, onError: OnBackgroundError): Running {
  return startLoop({
    name: 'result sweep',
    async run(signal) {
      const swept = await sweepResults(database, retentionMs, batchSize)
      if (swept < batchSize) await sleep(everyMs, signal)
    },
    onError,
  })
}
