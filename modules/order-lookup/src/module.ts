import type { Module } from '@headrace/runtime'
import type { OrderLookupContext } from './context.ts'
import { startOrderLookup } from './start.ts'

export type { OrderLookupContext } from './context.ts'
export { orderLookupMigrations } from './store/migrations.ts'

/** Orders consumed from a topic, stored, and answered from memory. */
export function orderLookupModule(): Module<OrderLookupContext> {
  return { name: 'order-lookup', roles: [{ name: 'order-lookup', start: startOrderLookup }] }
}
