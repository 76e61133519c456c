import type { Database } from '@headrace/database'
import type { Live } from '@headrace/live'
import { type OnBackgroundError, type Running, sleep, startLoop } from '@headrace/runtime'
import { publishChanges } from '../events.ts'
import type { ReadyBell } from '../ready-bell.ts'
import { type TakenTask, takeBack } from '../store/tasks.ts'
import type { TaskChanges } from './task-changes.ts'

export interface ReclaimNeeds {
  readonly database: Database
  readonly live: Pick<Live, 'publish'>
  readonly bell: Pick<ReadyBell, 'ring'>
  readonly changes: Pick<TaskChanges, 'add'>
  readonly maxKills: number
  readonly onError: OnBackgroundError
}

/** Pause in ms between two looks for leases that have run out. */
const everyMs = 500

/** Most expressions in one transaction. */
const batchSize = 100

/** Takes tasks back from workers whose lease has run out; in any number of orchestrators at once. */
export function startReclaim(needs: ReclaimNeeds): Running {
  return startLoop({
    name: 'calculator leases',
    async run(signal) {
      await sleep(everyMs, signal)
      if (signal.aborted) return
      const taken = await reclaim(needs)
      needs.changes.add(taken)
      if (taken.some(({ status }) => status === 'ready')) needs.bell.ring()
    },
    onError: needs.onError,
  })
}

function reclaim({ database, live, maxKills }: ReclaimNeeds): Promise<readonly TakenTask[]> {
  return database.inTransaction(async (tx) => {
    const taken = await takeBack(tx, maxKills, batchSize)
    await publishChanges(tx, live)
    return taken
  })
}
