import type { Module } from '@headrace/runtime'
import { startApi } from './api/start.ts'
import type { OrderIntakeContext } from './context.ts'
import { errors } from './contract.ts'
import { startWorker } from './worker/start.ts'

export type { OrderIntakeApiContext, OrderIntakeContext, OrderIntakeWorkerContext } from './context.ts'
export { orderIntakeApiMigrations, orderIntakeWorkerMigrations } from './store/migrations.ts'

/** Order upserts over HTTP, acknowledged by a worker. The worker starts first, so that what is accepted is processed. */
export function orderIntakeModule(): Module<OrderIntakeContext> {
  return {
    name: 'order-intake',
    roles: [
      { name: 'worker', start: startWorker },
      { name: 'api', start: startApi },
    ],
    errors,
  }
}
