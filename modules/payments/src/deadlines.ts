import { databaseNowMs, isInfrastructureError } from '@headrace/database'
import type { Log, LogTransaction } from '@headrace/log'
import { type FaultPoints, type OnBackgroundError, type Running, sleep, startLoop } from '@headrace/runtime'
import type { Payment } from './domain/payment.ts'
import { Till } from './domain/till.ts'
import { settle } from './settle.ts'
import { lockOverdue, lockPayments } from './store/payments.ts'

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

async function expireOverdue(needs: DeadlineNeeds): Promise<number> {
  const { log, faults } = needs
  let overdue: readonly Payment[] = []
  try {
    await log.inTransaction(async (tx) => {
      overdue = await lockOverdue(tx, batchSize)
      await expire(tx, overdue, needs)
    })
  } catch (error) {
    if (overdue.length < 2 || isInfrastructureError(error)) throw error
    await expireSingly(needs, overdue)
  }
  if (overdue.length > 0) await faults.at('deadline.after-commit')
  return overdue.length
}

/** One that cannot be failed keeps no other waiting. Throws for the first of those in the end. */
async function expireSingly(needs: DeadlineNeeds, overdue: readonly Payment[]): Promise<void> {
  const failures: unknown[] = []
  for (const { orderId } of overdue) {
    try {
      await needs.log.inTransaction(async (tx) => {
        await expire(tx, await lockPayments(tx, { orderIds: [orderId], waitingOf: [] }), needs)
      })
    } catch (error) {
      if (isInfrastructureError(error)) throw error
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

async function expire(
  tx: LogTransaction,
  payments: readonly Payment[],
  { newId, faults }: DeadlineNeeds,
): Promise<void> {
  if (payments.length === 0) return
  const nowMs = await databaseNowMs(tx)
  const till = new Till({ purses: [], payments, newId, nowMs })
  for (const { orderId } of payments) till.expire(orderId)
  settle(tx, till, { newId, nowMs, traceOf: () => undefined })
  await faults.at('deadline.before-commit')
}
