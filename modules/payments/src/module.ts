import type { Module } from '@headrace/runtime'
import { startPaymentsApi } from './api.ts'
import type { PaymentsContext } from './context.ts'
import { errors } from './contract.ts'
import { startPaymentsWorker } from './worker.ts'

export type { PaymentsContext } from './context.ts'
export { type AuditedRule, auditPayments, type PaymentState, payingOrders, paymentStates } from './store/audit.ts'
export { paymentsMigrations } from './store/migrations.ts'

/** Payments. The worker starts first, so that what is asked for is paid. */
export function paymentsModule(): Module<PaymentsContext> {
  return {
    name: 'payments',
    roles: [
      { name: 'worker', start: startPaymentsWorker },
      { name: 'api', start: startPaymentsApi },
    ],
    errors,
  }
}
