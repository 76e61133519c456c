import type { Module } from '@headrace/runtime'
import { startOrdersApi } from './api.ts'
import type { OrdersContext } from './context.ts'
import { errors } from './contract.ts'
import { startOrdersWorker } from './worker.ts'

export type { OrdersContext } from './context.ts'
export { type OrderState, orderStates, orderStatesOf } from './store/audit.ts'
export { ordersMigrations } from './store/migrations.ts'

/** Orders. Started after payments, where those run in the same process: they are asked whether a user has an account. */
export function ordersModule(): Module<OrdersContext> {
  return {
    name: 'orders',
    roles: [
      { name: 'worker', start: startOrdersWorker },
      { name: 'api', start: startOrdersApi },
    ],
    errors,
  }
}
