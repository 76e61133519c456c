import { databaseNowMs } from '@headrace/database'
import type { Log } from '@headrace/log'
import { type FaultPoints, type OnBackgroundError, type Running, sleep, startLoop } from '@headrace/runtime'
import { Till } from './domain/till.ts'
import { settle } from './settle.ts'
import { lockOverdue } from './store/payments.ts'

/** Pause in ms between two looks; a full batch is followed by the next at once. */
const everyMs = 200
const batchSize = 100

export interface DeadlineNeeds {
  readonly log: Log
  readonly newId: () => string
  readonly faults: FaultPoints
  readonly onError: OnBackgroundError
}

/** Fails payments whose time is up. Every replica looks; each payment is taken by one of them. */
export function startDeadlines(needs: DeadlineNeeds): Running {
  return startLoop({
    name: 'payment deadlines',
    async run(signal) {
      const expired = await expireOverdue(needs)
      if (expired < batchSize) await sleep(everyMs, signal)
    },
    onError: needs.onError,
  })
}

async function expireOverdue({ log, newId, faults }: DeadlineNeeds): Promise<number> {
  const count = await log.inTransaction(async (tx) => {
    const payments = await lockOverdue(tx, batchSize)
    if (payments.length === 0) return 0
    const nowMs = await databaseNowMs(tx)
    const till = new Till({ purses: [], payments, newId, nowMs })
    for (const { orderId } of payments) till.expire(orderId)
    settle(tx, till, { newId, nowMs, traceOf: () => undefined })
    await faults.at('deadline.before-commit')
    return payments.length
  })
  if (count > 0) await faults.at('deadline.after-commit')
  return count
}
