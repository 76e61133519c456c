import type { CarrierPosition } from './message.ts'
import { postgresTransport, type ReadableLog } from './postgres.ts'
import type { PastLog, ReadOptions, Transport } from './transport.ts'

/** A log in another database, which keeps what the groups that it knows of have not passed. */
export interface LogElsewhere extends ReadableLog {
  /** Makes a group known there; what it has not passed is kept from then on. */
  enter(group: string, topic: string, partition: number): Promise<void>
  /** As `Transport.past`. */
  past(log: string, topic: string, partition: number): Promise<readonly PastLog[]>
  /** Takes note that a group has handled everything up to and including this offset. It may be told late. */
  passed(group: string, topic: string, partition: number, position: number): void
}

/**
 * The log of another database as a carrier: what was appended there is read there. Unlike in its own database, cursors
 * and messages are not committed together, so a group's place is told to the log's owner now and then.
 */
export function postgresElsewhere(log: LogElsewhere): Transport {
  const inner = postgresTransport(log)
  return {
    ...inner,
    isLog: false,
    read(topic, partition, from, options) {
      return entered(log, topic, partition, options, () => inner.read(topic, partition, from, options))
    },
    passed(group: string, topic: string, partition: number, next: CarrierPosition) {
      if (next.incarnation === log.id) log.passed(group, topic, partition, next.number - 1)
    },
    past: (id, topic, partition) => log.past(id, topic, partition),
    stop: () => inner.stop(),
    [Symbol.asyncDispose]: () => inner.stop(),
  }
}

async function* entered<T>(
  log: LogElsewhere,
  topic: string,
  partition: number,
  { group }: ReadOptions,
  read: () => AsyncIterable<T>,
): AsyncGenerator<T> {
  if (group !== undefined) await log.enter(group, topic, partition)
  yield* read()
}
