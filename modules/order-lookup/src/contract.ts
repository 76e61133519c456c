import { bytes, defineSettings, durationMs, integer, type SettingsOf, text } from '@headrace/runtime'

export type { Delivery, Item, Order, Payment } from './domain/order.ts'
export { type Reading, readOrder } from './domain/read-order.ts'

/** The variables of this module. */
export const orderLookupSettings = defineSettings({
  ORDERS_TOPIC: text({ default: 'orders', doc: 'The topic that order lookup consumes orders from, on every carrier.' }),
  CACHE_CAPACITY: integer({
    default: 1000,
    min: 1,
    max: 10_000_000,
    doc: 'Most orders that order lookup keeps in memory.',
  }),
  CACHE_MAX_BYTES: bytes({
    default: 64 * 1024 * 1024,
    min: 1024,
    doc: 'Most bytes of orders that order lookup keeps in memory.',
  }),
  CACHE_STALENESS_MS: durationMs({
    default: 250,
    max: 3_600_000,
    doc: 'Longest time in ms that another replica answers an order’s older version; 0 = every hit is checked.',
  }),
})

export type OrderLookupSettings = SettingsOf<typeof orderLookupSettings>

/** The group that consumes orders. */
export const orderLookupGroup = 'order-lookup'

export interface CacheStats {
  readonly size: number
  readonly capacity: number
  readonly bytes: number
  readonly hits: number
  readonly misses: number
  readonly evictions: number
}

/** Since the process started; `consumed = stored + rejected +` those that were older than what is stored. */
export interface ConsumerStats {
  readonly consumed: number
  readonly stored: number
  readonly rejected: number
}

export interface OrderLookupStats {
  readonly cache: CacheStats
  readonly consumer: ConsumerStats
}
