import { defineSettings, durationMs, type ErrorRegistry, type SettingsOf } from '@headrace/runtime'

export { type OrderEventType, type OrderFact, orderEventTypes, ordersTopic, readOrderFact } from './wire/order-event.ts'
export type { OrderView } from './wire/order-view.ts'

/** The variables of this module. */
export const ordersSettings = defineSettings({
  ORDER_COMPLETE_AFTER_MS: durationMs({
    default: 0,
    doc: 'A paid order completes after so much time, in ms; 0 = it stays paid.',
  }),
})

export type OrdersSettings = SettingsOf<typeof ordersSettings>

/** The paths of this module's public routes, for a gateway that proxies to it. */
export const ordersPublicPaths: readonly string[] = ['/orders-api/*']

/** This module's own error codes. */
export const errors = {
  TOO_LATE_TO_CANCEL: {
    retry: 'never',
    status: 409,
    title: 'too late to cancel',
    operator: 'The order is paid, completed, or its payment has failed: nothing leads out of that.',
  },
} as const satisfies ErrorRegistry
