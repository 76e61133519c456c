import { defineSettings, durationMs, type ErrorRegistry, type SettingsOf } from '@headrace/runtime'
import type { Accounts } from './accounts-client.ts'

export { type Accounts, type RemoteAccounts, remoteAccounts } from './accounts-client.ts'
export { type AmountReading, amountLimitMinor, amountLimits, readAmount, wireAmount } from './domain/amounts.ts'
export { type IdSource, newIds, readUuid } from './domain/ids.ts'
export { type Envelope, eventTimeMs, type NewEvent, readEnvelope, toMessage } from './wire/envelope.ts'
export { type PaymentFact, paymentEventTypes, paymentsTopic, readPaymentFact } from './wire/payment-event.ts'

/** The variables of this module. */
export const paymentsSettings = defineSettings({
  PAYMENT_TIMEOUT_MS: durationMs({
    default: 15_000,
    min: 1,
    doc: 'A payment that waits for money fails when so much time has passed since its order, in ms.',
  }),
})

export type PaymentsSettings = SettingsOf<typeof paymentsSettings>

/** The paths of this module's public routes, for a gateway that proxies to it. */
export const paymentsPublicPaths: readonly string[] = ['/payments-api/*']

/** This module's own error codes. */
export const errors = {
  ACCOUNT_EXISTS: {
    retry: 'never',
    status: 409,
    title: 'the account exists',
    operator: 'The user has an account already; each user has one.',
  },
} as const satisfies ErrorRegistry

/** What this module offers to others of its process, by name. */
export interface PaymentsOffers {
  'payments.accounts'?: Accounts
}
