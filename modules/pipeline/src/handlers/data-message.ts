import { type Delivery, type Handle, MessageError, PoisonMessageError, type Work } from '@headrace/inbox'
import { messageOf } from '@headrace/runtime'
import { builtInProcessor } from '../domain/built-in-processor.ts'
import type { DataMessage } from '../domain/data-message.ts'
import { insertResults, type NewResult } from '../store/results.ts'
import { decodeBody } from '../wire/queue-body.ts'
import { ownerHeader } from '../wire/queue-message.ts'
import { type ProcessMessage, resultBytes } from './registered-function.ts'

/** Told of results that were stored for the first time, once they are committed. */
export type OnProcessed = (count: number) => void

/** The built-in processor: pure, so a whole batch is handled in the transaction that moves the cursor. */
export function handleBuiltIn(onProcessed: OnProcessed): Handle {
  return (tx, deliveries) => {
    const results = deliveries.map((delivery) => {
      const message = decoded(delivery)
      return newResult(delivery, message, builtInProcessor(message.payload))
    })
    let stored = 0
    // Not awaited, so that it shares a flight with the commit; what fails here fails the transaction.
    insertResults(tx, results).then(
      ({ rowCount }) => {
        stored = rowCount
      },
      () => {},
    )
    tx.afterCommit(() => onProcessed(stored))
  }
}

/** A registered function: executed at least once, its result recorded once. */
export function workOf(processMessage: ProcessMessage, onProcessed: OnProcessed): Work {
  return async (delivery, context) => {
    const message = decodedAlone(delivery)
    const result = resultBytes(await processMessage(message, context))
    return async (tx) => {
      const { rowCount } = await insertResults(tx, [newResult(delivery, message, result)])
      tx.afterCommit(() => onProcessed(rowCount))
    }
  }
}

function newResult(delivery: Delivery, { id }: DataMessage, result: Uint8Array): NewResult {
  const owner = delivery.headers[ownerHeader]
  return { messageId: id, acceptedAtMs: delivery.at, attempts: delivery.attempt, result, owner }
}

/** A body that is no message can never succeed; it is named, so that the others of its batch are not held up. */
function decoded(delivery: Delivery): DataMessage {
  try {
    return decodeBody(delivery)
  } catch (cause) {
    throw new MessageError(delivery.id, poison(cause))
  }
}

function decodedAlone(delivery: Delivery): DataMessage {
  try {
    return decodeBody(delivery)
  } catch (cause) {
    throw poison(cause)
  }
}

function poison(cause: unknown): PoisonMessageError {
  return new PoisonMessageError(messageOf(cause), cause)
}
