import { type Delivery, type Handle, MessageError, PoisonMessageError } from '@headrace/inbox'
import type { LogTransaction } from '@headrace/log'
import { formatTraceparent, parseTraceparent } from '@headrace/runtime'
import { type Application, type AppliedOrder, applyEvent } from '../domain/applied-order.ts'
import { type OrderEvent, readOrderEvent } from '../domain/order-event.ts'
import { bucketsOf, insertApplied, lockApplied, updateApplied } from '../store/applied-orders.ts'
import { type AckMessage, orderResult } from '../wire/ack.ts'
import { payloadBytes, payloadLimitBytes } from '../wire/sizes.ts'
import { originId } from './origin-id.ts'

export interface EventsHandlerNeeds {
  /** Where results go, to be stored and acknowledged one by one. */
  readonly resultsTopic: string
  /** Largest message; what is answered holds the payload, too. */
  readonly messageLimitBytes: number
  /** RFC 3339. */
  readonly now: () => string
}

interface Received {
  readonly delivery: Delivery
  readonly event: OrderEvent
}

/** Applies a batch of events in order, and writes each one's result as a message of the same transaction. */
export function eventsHandler(needs: EventsHandlerNeeds): Handle {
  return async (tx, deliveries) => {
    const received = deliveries.map(eventOf)
    const ids = [...new Set(received.map(({ event }) => event.order_id))]
    const [locked, buckets] = await Promise.all([lockApplied(tx, ids), bucketsOf(tx, ids)])
    const before = new Map(locked.map((order) => [order.orderId, order]))
    const orders = new Map(before)
    const processedAt = needs.now()
    for (const each of received) {
      const { order_id: id } = each.event
      const application = applied(needs, orders.get(id), each.event)
      if (application.kind === 'applied') orders.set(id, application.order)
      tell(tx, needs, each, ackOf(each, application, { processedAt, bucket: buckets.get(id) ?? 0 }))
    }
    store(tx, before, orders)
  }
}

/** Not awaited, so that it shares a flight with the commit; what fails here fails the transaction. */
function store(
  tx: LogTransaction,
  before: ReadonlyMap<string, AppliedOrder>,
  after: ReadonlyMap<string, AppliedOrder>,
) {
  const changed = [...after.values()].filter((order) => before.get(order.orderId) !== order)
  const isNew = ({ orderId }: AppliedOrder) => !before.has(orderId)
  insertApplied(tx, changed.filter(isNew)).catch(() => {})
  updateApplied(
    tx,
    changed.filter((order) => !isNew(order)),
  ).catch(() => {})
}

/** What can be no event is named, so that the others of its batch are not held up. */
function eventOf(delivery: Delivery): Received {
  const reading = readOrderEvent(parsed(delivery), delivery.at)
  if (reading.kind === 'event') return { delivery, event: reading.event }
  throw new MessageError(delivery.id, new PoisonMessageError(reading.reason))
}

function parsed({ id, body }: Delivery): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (cause) {
    throw new MessageError(id, new PoisonMessageError('the event is not JSON', cause))
  }
}

function applied(needs: EventsHandlerNeeds, order: AppliedOrder | undefined, event: OrderEvent): Application {
  // The api lets nothing so large through; a foreign producer may.
  if (payloadBytes(event.payload) > payloadLimitBytes(needs.messageLimitBytes)) {
    return { kind: 'rejected', code: 'message_too_large', order }
  }
  return applyEvent(order, event)
}

function ackOf(
  { delivery, event }: Received,
  application: Application,
  facts: { readonly processedAt: string; readonly bucket: number },
): AckMessage {
  const isForeign = delivery.origin === undefined
  const status = statusOf(application)
  const { order, kind } = application
  const processed_at = facts.processedAt
  return {
    order_id: event.order_id,
    event_id: isForeign ? originId(delivery.spot) : delivery.id,
    status,
    ...(application.kind === 'rejected' ? { code: application.code } : {}),
    processed_at,
    ...(order === undefined ? {} : { result: orderResult(order, { status, processed_at, bucket: facts.bucket }) }),
    ...(isForeign && kind === 'applied' && event.external_id !== null ? { external_id: event.external_id } : {}),
  }
}

function statusOf(application: Application): AckMessage['status'] {
  switch (application.kind) {
    case 'applied':
      return application.as
    case 'unchanged':
      return 'deleted'
    case 'rejected':
      return 'rejected'
    default:
      return application satisfies never
  }
}

function tell(tx: LogTransaction, { resultsTopic }: EventsHandlerNeeds, { delivery }: Received, ack: AckMessage): void {
  // Of a foreign event it may be any text.
  const trace = parseTraceparent(delivery.headers['traceparent'])
  tx.append({
    topic: resultsTopic,
    id: ack.event_id,
    key: ack.order_id,
    type: 'orders.processed',
    headers: trace === undefined ? {} : { traceparent: formatTraceparent(trace) },
    body: Buffer.from(JSON.stringify(ack)),
  })
}
