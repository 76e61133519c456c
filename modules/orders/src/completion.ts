import { databaseNowMs } from '@headrace/database'
import type { Live } from '@headrace/live'
import type { Log } from '@headrace/log'
import { type FaultPoints, type OnBackgroundError, type Running, sleep, startLoop } from '@headrace/runtime'
import { decide, evolve } from './domain/order.ts'
import { lockDueOrders } from './store/orders.ts'
import { changeOrder } from './tell.ts'

/** Pause in ms between two looks; a full batch is followed by the next at once. */
const everyMs = 500
const batchSize = 100

export interface CompletionNeeds {
  readonly log: Log
  readonly live: Live
  readonly faults: FaultPoints
  readonly onError: OnBackgroundError
}

/** Completes paid orders when their time has come. Every replica looks; each order is taken by one of them. */
export function startCompletion(needs: CompletionNeeds): Running {
  return startLoop({
    name: 'order completion',
    async run(signal) {
      const completed = await completeDue(needs)
      if (completed < batchSize) await sleep(everyMs, signal)
    },
    onError: needs.onError,
  })
}

async function completeDue({ log, live, faults }: CompletionNeeds): Promise<number> {
  const count = await log.inTransaction(async (tx) => {
    const due = await lockDueOrders(tx, batchSize)
    if (due.length === 0) return 0
    const nowMs = await databaseNowMs(tx)
    for (const order of due) {
      const completed = decide(order, { kind: 'complete', nowMs }).reduce(evolve, order)
      changeOrder(tx, live, { ...order, ...completed, updatedAt: new Date(nowMs) })
    }
    await faults.at('deadline.before-commit')
    return due.length
  })
  if (count > 0) await faults.at('deadline.after-commit')
  return count
}
