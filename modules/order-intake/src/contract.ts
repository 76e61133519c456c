import { defineSettings, durationMs, type ErrorRegistry, type SettingsOf, text } from '@headrace/runtime'

export type { OrderEvent } from './domain/order-event.ts'
export type { AckMessage, OrderResult } from './wire/ack.ts'
export { orderResultKey } from './wire/ack.ts'
export type { OrderView } from './wire/order-view.ts'

/** The variables of this module; the databases’ addresses are the platform’s. */
export const orderIntakeSettings = defineSettings({
  ORDERS_EVENTS_TOPIC: text({
    default: 'orders.events',
    doc: 'The topic on which the order intake’s API tells its worker.',
  }),
  ORDERS_ACK_TOPIC: text({ default: 'orders.ack', doc: 'The topic on which the order intake’s worker answers.' }),
  WORKER_GROUP: text({ default: 'order-workers', doc: 'The group of the order intake’s workers, on every carrier.' }),
  ACK_TIMEOUT_MS: durationMs({
    default: 30_000,
    // Before the gateway gives up (50 s) and a connection counts as idle (60 s): it would be closed without an answer.
    max: 45_000,
    doc: 'Longest wait for the worker, in ms; then POST /orders answers 202 and the order is processed later.',
  }),
})

export type OrderIntakeSettings = SettingsOf<typeof orderIntakeSettings>

/** This module's own error codes. */
export const errors = {
  ORDER_DELETED: {
    retry: 'never',
    status: 409,
    title: 'the order is deleted',
    operator: 'A deleted order stays deleted; its external id is free for a new one.',
  },
  EXTERNAL_ID_TAKEN: {
    retry: 'never',
    status: 409,
    title: 'the external id is taken',
    operator: 'Another order of the same user has this external id, and is not deleted.',
  },
} as const satisfies ErrorRegistry
