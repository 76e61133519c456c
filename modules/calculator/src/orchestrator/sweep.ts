import type { Queryable } from '@headrace/database'
import { type OnBackgroundError, type Running, sleep, startLoop } from '@headrace/runtime'
import { sweepTasks } from '../store/tasks.ts'

export interface SweepNeeds {
  readonly database: Queryable
  /** How long the tasks of an expression that has ended are kept, in ms. */
  readonly keptMs: number
  readonly onError: OnBackgroundError
}

/** Pause in ms between two looks for old tasks; shorter where they are kept for less. */
const everyMs = 60_000

/** Most tasks in one transaction, and the pause in ms before the next one: others want the database, too. */
const batchSize = 5_000
const pauseMs = 50

/** Removes the tasks of expressions that ended long ago; in any number of orchestrators at once. */
export function startSweep({ database, keptMs, onError }: SweepNeeds): Running {
  return startLoop({
    name: 'calculator retention',
    async run(signal) {
      await sleep(Math.min(everyMs, keptMs), signal)
      while (!signal.aborted && (await sweepTasks(database, keptMs, batchSize)) > 0) await sleep(pauseMs, signal)
    },
    onError,
  })
}
