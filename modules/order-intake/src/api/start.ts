import { withAdmission } from '@headrace/http-kit'
import type { Running } from '@headrace/runtime'
import { v7 } from 'uuid'
import type { OrderIntakeApiContext } from '../context.ts'
import { addPlaceRoute } from '../routes/place.ts'
import { addReadRoutes } from '../routes/read.ts'
import { findOutcomes } from '../store/events.ts'
import { startEventSweep } from './event-sweep.ts'
import { acksHandler } from './handle-acks.ts'
import { type Outcomes, startOutcomes } from './outcomes.ts'
import { orderPlacing } from './place-orders.ts'

/** All replicas share the acknowledgements; who waits at another one learns of it by a hint or in the database. */
const ackGroup = 'order-intake-api'

/** Orders in flight, most of them waiting for their acknowledgement; beyond it they are refused unread. */
const mostInFlight = 4096

/** Starts the role that takes orders. */
export async function startApi(context: OrderIntakeApiContext): Promise<Running> {
  const { settings, onError } = context
  const station = context.stations.orderIntakeApi
  const { database, pubsub } = station
  await station.produces(settings.ORDERS_EVENTS_TOPIC)
  await using stack = new AsyncDisposableStack()
  const find = (eventIds: readonly string[]) => findOutcomes(database, eventIds)
  const outcomes = stack.use(startOutcomes({ pubsub, findOutcomes: find, onError }))
  addRoutes(context, outcomes)
  const handle = acksHandler((acknowledged) => outcomes.tell(acknowledged))
  stack.use(await station.consume({ group: ackGroup, topic: settings.ORDERS_ACK_TOPIC, handle }))
  stack.use(startEventSweep({ database, onError }))
  const parts = stack.move()
  const stop = () => parts.disposeAsync()
  return { stop, [Symbol.asyncDispose]: stop }
}

function addRoutes({ settings, stations, surfaces, faults }: OrderIntakeApiContext, outcomes: Outcomes): void {
  const { public: app } = surfaces
  if (app === undefined) return
  const station = stations.orderIntakeApi
  // Whoever waits while the process stops is answered 202: what was accepted is safe.
  app.addHook('preClose', (done) => {
    outcomes.release()
    done()
  })
  const place = orderPlacing({
    station,
    outcomes,
    eventsTopic: settings.ORDERS_EVENTS_TOPIC,
    messageLimitBytes: settings.MESSAGE_LIMIT_BYTES,
    ackTimeoutMs: settings.ACK_TIMEOUT_MS,
    newId: v7,
    faults,
  })
  withAdmission(app, { limit: mostInFlight }, (scope) => addPlaceRoute(scope, place))
  addReadRoutes(app, station.database)
}
