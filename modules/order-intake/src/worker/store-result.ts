import type { Work } from '@headrace/inbox'
import type { KeyValue } from '@headrace/keyvalue'
import { type AckMessage, orderResultKey, resultTtlMs } from '../wire/ack.ts'

export interface StoreResultNeeds {
  readonly keyvalue: KeyValue
  readonly ackTopic: string
}

/**
 * Puts a result into the key-value store and then acknowledges its event. It may be executed twice; it is recorded, and
 * so acknowledged, once. While the store is away nothing is acknowledged.
 */
export function storeResult({ keyvalue, ackTopic }: StoreResultNeeds): Work {
  return async ({ id, key, headers, body }) => {
    // Written by this worker's own handler of events.
    const { order_id, result } = JSON.parse(Buffer.from(body).toString('utf8')) as AckMessage
    if (result !== undefined) {
      await keyvalue.set(orderResultKey(order_id), JSON.stringify(result), { ttlMs: resultTtlMs })
    }
    return (tx) => tx.append({ topic: ackTopic, id, key, type: 'orders.acknowledged', headers, body })
  }
}
