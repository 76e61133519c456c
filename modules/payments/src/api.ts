import { randomBytes } from 'node:crypto'
import { keyedRequests } from '@headrace/http-kit'
import type { LogTransaction } from '@headrace/log'
import type { Running } from '@headrace/runtime'
import type { PaymentsContext } from './context.ts'
import type { Accounts } from './contract.ts'
import { newIds } from './domain/ids.ts'
import { addAccountRoute, addAccountViewRoute, addEntriesRoute } from './routes/accounts.ts'
import { addPaymentRoute } from './routes/payments.ts'
import { addReferenceRoutes } from './routes/reference.ts'
import { addTopUpRoute } from './routes/top-up.ts'
import { findAccount } from './store/accounts.ts'
import { paymentsTopic } from './wire/payment-event.ts'

/** Starts the role that answers requests. */
export async function startPaymentsApi(context: PaymentsContext): Promise<Running> {
  const { offers, surfaces, faults } = context
  const station = context.stations.payments
  await station.produces(paymentsTopic)
  const accounts: Accounts = {
    hasAccount: async (userId) => (await findAccount(station.database, userId)) !== undefined,
  }
  offers['payments.accounts'] = accounts
  const app = surfaces.public
  if (app !== undefined) {
    const newId = newIds({ now: Date.now, randomBytes })
    const keyed = keyedRequests<LogTransaction>({
      database: station.database,
      inTransaction: (work, options) => station.log.inTransaction(work, options),
      newId,
    })
    const needs = { app, station, keyed, newId, faults }
    addAccountRoute(needs)
    addAccountViewRoute(needs)
    addTopUpRoute(needs)
    addEntriesRoute(needs)
    addPaymentRoute(needs)
    addReferenceRoutes(app)
  }
  return { stop: async () => {}, [Symbol.asyncDispose]: async () => {} }
}
