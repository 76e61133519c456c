import { randomBytes } from 'node:crypto'
import { keyedRequests, withAdmission } from '@headrace/http-kit'
import { startLive } from '@headrace/live'
import type { LogTransaction } from '@headrace/log'
import { type Accounts, remoteAccounts } from '@headrace/payments/contract'
import type { Running } from '@headrace/runtime'
import type { OrdersContext } from './context.ts'
import { newIds } from './domain/ids.ts'
import { addCancelRoute } from './routes/cancel.ts'
import type { RouteNeeds } from './routes/needs.ts'
import { addPlaceRoute } from './routes/place.ts'
import { addReferenceRoutes } from './routes/reference.ts'
import { addStreamRoute } from './routes/stream.ts'
import { addListRoute, addOrderRoute } from './routes/view.ts'
import { ordersTopic } from './wire/order-event.ts'

/** Requests in flight at a time, apart from streams; beyond it they are answered 503 before their bodies are read. */
const mostInFlight = 1000

/** Starts the role that answers requests and serves the streams. */
export async function startOrdersApi(context: OrdersContext): Promise<Running> {
  const { surfaces, onError, faults, metrics } = context
  const station = context.stations.orders
  await station.produces(ordersTopic)
  const live = startLive({ database: station.database, pubsub: station.pubsub, onError, metrics })
  const { accounts, close } = accountsOf(context)
  const newId = newIds({ now: Date.now, randomBytes })
  const keyed = keyedRequests<LogTransaction>({
    database: station.database,
    inTransaction: (work, options) => station.log.inTransaction(work, options),
    newId,
  })
  const app = surfaces.public
  if (app !== undefined) addRoutes({ app, station, keyed, live, accounts, newId, random: Math.random, faults })
  const stop = async () => {
    await live.stop()
    await close()
  }
  return { stop, [Symbol.asyncDispose]: stop }
}

function addRoutes(needs: RouteNeeds): void {
  withAdmission(needs.app, { limit: mostInFlight }, (app) => {
    const admitted = { ...needs, app }
    addPlaceRoute(admitted)
    addCancelRoute(admitted)
    addOrderRoute(admitted)
    addListRoute(admitted)
  })
  addStreamRoute(needs)
  addReferenceRoutes(needs.app)
}

interface KnownAccounts {
  readonly accounts: Accounts
  close(): Promise<void>
}

function accountsOf({ offers, settings, onError }: OrdersContext): KnownAccounts {
  const here = offers['payments.accounts']
  if (here !== undefined) return { accounts: remembered(here), close: async () => {} }
  const remote = remoteAccounts(settings.PAYMENTS_URL, onError)
  return { accounts: remembered(remote), close: () => remote.close() }
}

/** Most users that are known to have an account; beyond it they are asked for again. */
const knownLimit = 10_000

/** Asks once for each user who has an account: none is ever closed. */
function remembered(accounts: Accounts): Accounts {
  const known = new Set<string>()
  return {
    async hasAccount(userId, authorization) {
      if (known.has(userId)) return true
      const answer = await accounts.hasAccount(userId, authorization)
      if (known.size >= knownLimit) known.clear()
      if (answer === true) known.add(userId)
      return answer
    },
  }
}
