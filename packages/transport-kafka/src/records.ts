import {
  type CarriedMessage,
  decodeEvent,
  type EventEnvelope,
  encodeEvent,
  inBinaryMode,
  kafkaBinding,
  type OutgoingMessage,
} from '@headrace/transport'
import type { KafkaRecord, MessageRecord, RecordsBatch } from '@platformatic/kafka'
import { RecordWriter } from './record-writer.ts'

/** One record of a partition, not yet decoded. */
export interface FetchedRecord {
  readonly offset: number
  /** When the producer or the broker took it, in ms since the epoch. */
  readonly at: number
  readonly record: KafkaRecord
  /** As the first of the reads that share it has decoded it. */
  decoded?: EventEnvelope & { readonly key: string; readonly body: Uint8Array }
}

export interface RecordPlace {
  readonly topic: string
  readonly incarnation: string
  readonly partition: number
}

/** Bits of a batch's attributes. (Kafka, message format v2.) */
const logAppendTime = 0x08
const transactional = 0x10
const control = 0x20

/** A message whose value is what its record holds behind its place in a batch: key, value and headers. */
export type EncodedMessage = Required<Pick<MessageRecord, 'topic' | 'partition' | 'timestamp' | 'value'>>

/** Messages as they are sent to one partition, all with one timestamp. */
export function produced(
  messages: readonly OutgoingMessage[],
  { topic, partition }: Pick<RecordPlace, 'topic' | 'partition'>,
): EncodedMessage[] {
  const now = Date.now()
  const timestamp = BigInt(now)
  const writer = new RecordWriter()
  const ends = messages.map((message) => {
    writer.text(message.key)
    writer.bytes(message.body)
    const headers = encodeEvent(kafkaBinding, message, { topic, at: now })
    writer.varint(headers.length)
    for (const [name, value] of headers) {
      writer.text(name)
      writer.text(value)
    }
    return writer.length
  })
  const { written } = writer
  return ends.map((end, index) => ({ topic, partition, timestamp, value: written.subarray(ends[index - 1] ?? 0, end) }))
}

/** Positions are offsets counted from 1, as everywhere here; Kafka's begin at 0. */
export function positionOf(offset: number): number {
  return offset + 1
}

/** The Kafka offset of a position. */
export function offsetOf(position: number): number {
  return Math.max(position - 1, 0)
}

/** Where transactions began that were taken back, as a broker tells it beside its batches. */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

/** The records of batches from an offset on, without what was taken back and the broker's own (ends of transactions). */
export function recordsOf(
  batches: readonly RecordsBatch[],
  from: number,
  aborted: readonly AbortedTransaction[] = [],
): FetchedRecord[] {
  return withoutAborted(batches, aborted)
    .flatMap((batch) => {
      const first = Number(batch.firstOffset)
      const at = (delta: bigint) =>
        Number((batch.attributes & logAppendTime) === 0 ? batch.firstTimestamp + delta : batch.maxTimestamp)
      return batch.records.map((record) => ({
        offset: first + record.offsetDelta,
        at: at(record.timestampDelta),
        record,
      }))
    })
    .filter(({ offset }) => offset >= from)
}

/** The client itself forgets all but the last of a producer's aborted transactions in an answer. */
function withoutAborted(batches: readonly RecordsBatch[], aborted: readonly AbortedTransaction[]): RecordsBatch[] {
  const coming = aborted.toSorted((a, b) => Number(a.firstOffset - b.firstOffset))
  const taken = new Set<bigint>()
  return batches.filter(({ attributes, producerId, firstOffset, lastOffsetDelta }) => {
    const last = firstOffset + BigInt(lastOffsetDelta)
    while (coming[0] !== undefined && coming[0].firstOffset <= last) taken.add(coming.shift()?.producerId ?? -1n)
    if ((attributes & control) !== 0) {
      // A transaction ends here; whether the producer's next is taken back is told by its own beginning.
      taken.delete(producerId)
      return false
    }
    return (attributes & transactional) === 0 || !taken.has(producerId)
  })
}

/** The offset behind the last batch, holes and all. */
export function endOf(batches: readonly RecordsBatch[], from: number): number {
  const last = batches.at(-1)
  return last === undefined ? from : Math.max(from, Number(last.firstOffset) + last.lastOffsetDelta + 1)
}

/** A record as a message of its own; what a foreign producer does not say of it is taken from its place. */
export function carried(fetched: FetchedRecord, place: RecordPlace): CarriedMessage {
  fetched.decoded ??= decoded(fetched, place)
  const { decoded: event, offset } = fetched
  // Copies: the record lies in the answer to a fetch, which other reads share.
  const body = new Uint8Array(event.body)
  return { ...event, headers: { ...event.headers }, body, position: positionOf(offset) }
}

function decoded({ offset, at, record }: FetchedRecord, { topic, incarnation, partition }: RecordPlace) {
  const named = record.headers.map(([name, value]): [string, string] => [text(name), text(value)])
  const { headers, body } = inBinaryMode(kafkaBinding, { headers: named, body: record.value ?? new Uint8Array() })
  // A topic made anew counts its offsets from the start, so its incarnation is part of the name.
  const id = `kafka-${topic}-${incarnation.slice(0, 8)}-${partition}-${offset}`
  const event = decodeEvent(kafkaBinding, headers, { id, type: topic, at })
  return { ...event, key: record.key === null ? event.id : text(record.key), body }
}

function text(bytes: Buffer | null): string {
  return bytes === null ? '' : bytes.toString()
}
