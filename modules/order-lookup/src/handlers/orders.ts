import { type Delivery, type Handle, MessageError, PoisonMessageError } from '@headrace/inbox'
import { type Order, readOrder } from '../contract.ts'
import { laneName, newestOfEach, type Version, versionsOf } from '../domain/versions.ts'
import { moveLaneTimes, readLaneTimes } from '../store/lane-times.ts'
import { type SavedOrder, saveHeads, saveParts } from '../store/save-orders.ts'

export interface OrdersHandlerNeeds {
  readonly topic: string
  /** These orders are about to be stored; the result is called once they are, or certainly are not. */
  readonly hold: (ids: readonly string[]) => () => void
  /** These orders were stored: the transaction is committed. */
  readonly onStored: (saved: readonly SavedOrder[]) => void
}

/** Stores a batch of orders, each unless a newer version of it is stored; what is no order is poison. */
export function ordersHandler({ topic, hold, onStored }: OrdersHandlerNeeds): Handle {
  return async (tx, messages) => {
    const orders = messages.map(orderOf)
    const lanes = [...new Map(messages.map(({ spot }) => [laneName(spot), spot])).values()]
    const { nowMs, times } = await readLaneTimes(tx, topic, lanes)
    const versions = versionsOf(messages, nowMs, times)
    const newest = newestOfEach(orders.map((order, index) => versioned(order, versions[index])))
    const release = hold(newest.map(({ id }) => id))
    // Not awaited, so that they share a flight with what follows; what fails here fails the transaction.
    moveLaneTimes(tx, topic, [...times.values()]).catch(() => {})
    const saved = await saveHeads(tx, newest).catch((error: unknown) => {
      // What throws here commits nothing; other ends of the transaction are not told.
      release()
      throw error
    })
    const stored = new Set(saved.map(({ id }) => id))
    const replaced = saved.filter((each) => each.replaced).map(({ id }) => id)
    const parts = newest.filter(({ id }) => stored.has(id)).map(({ order }) => order)
    saveParts(tx, parts, replaced).catch(() => {})
    tx.afterCommit(() => {
      release()
      onStored(saved)
    })
  }
}

function versioned(order: Order, version: Version | undefined) {
  if (version === undefined) throw new TypeError('there is a version for each message')
  return { id: order.order_uid, order, version }
}

/** The message is named, so that the others of its batch are not held up. */
function orderOf(message: Delivery): Order {
  const reading = readOrder(message.body)
  if (reading.kind === 'order') return reading.order
  throw new MessageError(message.id, new PoisonMessageError(reading.reason))
}
