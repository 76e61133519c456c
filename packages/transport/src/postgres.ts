import { sleep } from '@headrace/runtime'
import { type CarriedMessage, logPartitions, messageBytes } from './message.ts'
import { type Batch, type ReadFrom, type ReadOptions, readDefaults, type Transport } from './transport.ts'

/** One read of a log's partition. */
export interface LogRange {
  readonly topic: string
  readonly partition: number
  /** The first offset wanted. */
  readonly from: number
  /** No message at or after `from` is older than this, in ms since the epoch; 0 when that is not known. */
  readonly sinceMs: number
  readonly maxMessages: number
  readonly maxBytes: number
}

/** What this driver needs of a log: its records, and to be told when there are more. */
export interface ReadableLog {
  /** The log's incarnation. When it changes, `available` resolves. */
  readonly id: string
  /** Records in order, as many as fit; none when the log ends before `from`. */
  read(range: LogRange): Promise<readonly CarriedMessage[]>
  /** The first offset that the log still holds, or its head when it is empty. */
  firstOffset(topic: string, partition: number): Promise<number>
  /** The head of each partition of a topic: the offset that its next record gets. */
  heads(topic: string): Promise<readonly { readonly partition: number; readonly nextOffset: number }[]>
  /** Resolves when the partition holds something at or after `offset`, or the signal aborts. */
  available(topic: string, partition: number, offset: number, signal: AbortSignal): Promise<void>
  probe(signal: AbortSignal): Promise<void>
}

/** The log as its own carrier: appending is publishing, so there is no relay and nothing to publish. */
export function postgresTransport(log: ReadableLog): Transport {
  const stopping = new AbortController()
  return {
    name: 'postgres',
    durability: 'disk',
    isLog: true,
    partitions: async () => logPartitions,
    publish: () => Promise.reject(new TypeError('the log is its own carrier: append instead of publishing')),
    read: (topic, partition, from, options) => {
      // Its own, too: a reader that leaves must not wait for a batch that is read ahead at the log's end.
      const leaving = new AbortController()
      const signal = AbortSignal.any([options.signal, stopping.signal, leaving.signal])
      return readAhead(readLog(log, topic, partition, from, { ...options, signal }), leaving)
    },
    async held(topic, partition) {
      const [first, heads] = await Promise.all([log.firstOffset(topic, partition), log.heads(topic)])
      const end = heads.find((head) => head.partition === partition)?.nextOffset ?? first
      return { incarnation: log.id, first, end }
    },
    probe: (signal) => log.probe(signal),
    async stop() {
      stopping.abort()
    },
    [Symbol.asyncDispose]() {
      return this.stop()
    },
  }
}

/** Pause in ms before the log is asked again for what should be there. */
const missingPauseMs = 200

async function* readLog(
  log: ReadableLog,
  topic: string,
  partition: number,
  from: ReadFrom,
  options: ReadOptions,
): AsyncGenerator<Batch> {
  const maxMessages = options.maxMessages ?? readDefaults.maxMessages
  const maxBytes = options.maxBytes ?? readDefaults.maxBytes
  let { id } = log
  const known = from.kind === 'position' && from.position.incarnation === id
  let next = known ? from.position.number : await log.firstOffset(topic, partition)
  let sinceMs = known ? (from.atMs ?? 0) : 0
  let atEnd = false
  while (true) {
    // At the end the head is waited for instead of asking in vain: a message that comes alone costs no second read.
    if (atEnd && log.id === id) await log.available(topic, partition, next, options.signal)
    if (options.signal.aborted) return
    // A copy, which may lack what was read here: another log.
    if (log.id !== id) {
      id = log.id
      next = await log.firstOffset(topic, partition)
      sinceMs = 0
    }
    const messages = await log.read({ topic, partition, from: next, sinceMs, maxMessages, maxBytes })
    const last = messages.at(-1)
    if (last === undefined) {
      // The head is further, and yet there is nothing: retention has passed a reader that stood still.
      if (atEnd) {
        next = Math.max(next, await log.firstOffset(topic, partition))
        // Or the database's clock was set back, and its rows lie in the future: no reason to ask without a pause.
        await sleep(missingPauseMs, options.signal)
      }
      atEnd = true
      continue
    }
    next = last.position + 1
    sinceMs = last.at
    atEnd = messages.length < maxMessages && !mayBeCut(messages, maxBytes)
    yield { incarnation: id, messages, atEnd }
  }
}

/** A message that did not fit any more may be this small a part of the limit in bytes, and not smaller: a guess. */
const cutPart = 1 / 16

/** Tells whether the limit in bytes may have ended a batch, rather than the end of the log. */
function mayBeCut(messages: readonly CarriedMessage[], maxBytes: number): boolean {
  return messages.reduce((bytes, message) => bytes + messageBytes(message), 0) > maxBytes * cutPart
}

/**
 * Reads the next batch of a backlog while the consumer handles the last one. At the log's end it does not: what arrives
 * meanwhile is then one batch instead of many small ones.
 */
async function* readAhead(batches: AsyncGenerator<Batch>, leaving: AbortController): AsyncGenerator<Batch> {
  let ahead: Promise<IteratorResult<Batch>> | undefined
  try {
    while (true) {
      const { done, value } = await (ahead ?? batches.next())
      if (done) return
      ahead = value.atEnd ? undefined : batches.next()
      // Its failure is told when it is awaited, after the batch at hand.
      ahead?.catch(() => undefined)
      yield value
    }
  } finally {
    leaving.abort()
    await batches.return(undefined).catch(() => undefined)
  }
}
