import { type Delivery, type Handle, MessageError, PoisonMessageError } from '@headrace/inbox'
import type { LogTransaction } from '@headrace/log'
import { messageOf } from '@headrace/runtime'
import type { AcceptedOrder } from '../domain/accepted-order.ts'
import { type Acknowledgement, acknowledge } from '../domain/acknowledgement.ts'
import { lockOrders, removeOrders, saveOrders } from '../store/accepted-orders.ts'
import { type EventOutcome, recordOutcomes } from '../store/events.ts'
import { claimNames, type ExternalName, freeNames } from '../store/external-ids.ts'
import { readAck } from '../wire/ack.ts'
import { nameOf } from './accept.ts'

/** Takes a batch of acknowledgements over into the api's orders, and tells who waits once that is committed. */
export function acksHandler(onAcknowledged: (outcomes: readonly EventOutcome[]) => void): Handle {
  return async (tx, deliveries) => {
    const acks = deliveries.map(ackOf)
    const before = await lock(tx, acks)
    const after = new Map(before)
    for (const ack of acks) {
      const order = acknowledge(after.get(ack.orderId), ack)
      if (order === undefined) after.delete(ack.orderId)
      else after.set(ack.orderId, order)
    }
    await store(tx, before, after)
    const outcomes = acks.map(({ eventId, status, code }) => ({ eventId, outcome: status, code }))
    recordOutcomes(tx, outcomes).catch(() => {})
    tx.afterCommit(() => onAcknowledged(outcomes))
  }
}

type Orders = ReadonlyMap<string, AcceptedOrder>

async function lock(tx: LogTransaction, acks: readonly Acknowledgement[]): Promise<Orders> {
  const orders = await lockOrders(tx, [...new Set(acks.map(({ orderId }) => orderId))])
  return new Map(orders.map((order) => [order.orderId, order]))
}

async function store(tx: LogTransaction, before: Orders, after: Orders): Promise<void> {
  const changed = [...after.values()].filter((order) => before.get(order.orderId) !== order)
  const gone = [...before.values()].filter(({ orderId }) => !after.has(orderId))
  // First, so that others of the batch may have what is held no more.
  const isNameless = ({ orderId }: AcceptedOrder) => nameOf(after.get(orderId)) === undefined
  freeHeld(tx, before, [...changed, ...gone].filter(isNameless))
  if (gone.length > 0) {
    removeOrders(
      tx,
      gone.map(({ orderId }) => orderId),
    ).catch(() => {})
  }
  const named = await withNames(tx, before, changed)
  if (named.length > 0) saveOrders(tx, named).catch(() => {})
}

/** What somebody else has named gets that external id where it is not taken; else it keeps the one that it had. */
async function withNames(tx: LogTransaction, before: Orders, changed: readonly AcceptedOrder[]) {
  const heldBy = ({ orderId }: Pick<AcceptedOrder, 'orderId'>) => nameOf(before.get(orderId))?.externalId
  const wanted = changed.flatMap((order): ExternalName[] => {
    const name = nameOf(order)
    return name === undefined || name.externalId === heldBy(order) ? [] : [name]
  })
  if (wanted.length === 0) return changed
  const claimed = await claimNames(tx, wanted)
  freeHeld(tx, before, claimed)
  const named = new Set(claimed.map(({ orderId }) => orderId))
  const refused = new Set(wanted.map(({ orderId }) => orderId).filter((id) => !named.has(id)))
  return changed.map((order) => (refused.has(order.orderId) ? { ...order, externalId: heldBy(order) } : order))
}

/** Frees the external ids that these orders have held. */
function freeHeld(tx: LogTransaction, before: Orders, orders: readonly Pick<AcceptedOrder, 'orderId'>[]): void {
  const held = orders.flatMap(({ orderId }) => nameOf(before.get(orderId)) ?? [])
  if (held.length > 0) freeNames(tx, held).catch(() => {})
}

function ackOf(delivery: Delivery): Acknowledgement {
  try {
    return readAck(delivery.body)
  } catch (cause) {
    throw new MessageError(delivery.id, new PoisonMessageError(messageOf(cause), cause))
  }
}
