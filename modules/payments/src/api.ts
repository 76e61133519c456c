import { randomBytes } from 'node:crypto'
import { keyedRequests, withAdmission } from '@headrace/http-kit'
import type { LogTransaction } from '@headrace/log'
import type { Running } from '@headrace/runtime'
import { accountsHere } from './accounts-here.ts'
import type { PaymentsContext } from './context.ts'
import { newIds } from './domain/ids.ts'
import { addAccountRoute, addAccountViewRoute, addEntriesRoute } from './routes/accounts.ts'
import type { RouteNeeds } from './routes/needs.ts'
import { addPaymentRoute } from './routes/payments.ts'
import { addReferenceRoutes } from './routes/reference.ts'
import { addTopUpRoute } from './routes/top-up.ts'
import { paymentsTopic } from './wire/payment-event.ts'

/** Requests in flight at a time; beyond it they are answered 503 before their bodies are read. */
const mostInFlight = 1000

/** Starts the role that answers requests. */
export async function startPaymentsApi(context: PaymentsContext): Promise<Running> {
  const { offers, surfaces, faults, onError } = context
  const station = context.stations.payments
  await station.produces(paymentsTopic)
  offers['payments.accounts'] = accountsHere(station.database, onError)
  const app = surfaces.public
  if (app !== undefined) {
    const newId = newIds({ now: Date.now, randomBytes })
    const keyed = keyedRequests<LogTransaction>({
      database: station.database,
      inTransaction: (work, options) => station.log.inTransaction(work, options),
      newId,
    })
    addRoutes({ app, station, keyed, newId, faults })
  }
  return { stop: async () => {}, [Symbol.asyncDispose]: async () => {} }
}

function addRoutes(needs: RouteNeeds): void {
  withAdmission(needs.app, { limit: mostInFlight }, (app) => {
    const admitted = { ...needs, app }
    addAccountRoute(admitted)
    addAccountViewRoute(admitted)
    addTopUpRoute(admitted)
    addEntriesRoute(admitted)
    addPaymentRoute(admitted)
  })
  addReferenceRoutes(needs.app)
}
