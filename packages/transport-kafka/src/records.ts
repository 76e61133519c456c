import { type CarriedMessage, decodeEvent, encodeEvent, kafkaBinding, type OutgoingMessage } from '@headrace/transport'
import type { KafkaRecord, MessageToProduce, RecordsBatch } from '@platformatic/kafka'

/** One record of a partition, not yet decoded. */
export interface FetchedRecord {
  readonly offset: number
  /** When the producer or the broker took it, in ms since the epoch. */
  readonly at: number
  readonly record: KafkaRecord
}

export interface RecordPlace {
  readonly topic: string
  readonly incarnation: string
  readonly partition: number
}

/** Bits of a batch's attributes. (Kafka, message format v2.) */
const logAppendTime = 0x08
const control = 0x20

/** A message as it is sent to one partition. */
export function produced(
  message: OutgoingMessage,
  { topic, partition }: Pick<RecordPlace, 'topic' | 'partition'>,
): MessageToProduce<Buffer, Buffer, string, string> {
  const now = Date.now()
  const { body } = message
  return {
    topic,
    partition,
    key: Buffer.from(message.key),
    value: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
    headers: new Map(encodeEvent(kafkaBinding, message, { topic, at: now })),
    timestamp: BigInt(now),
  }
}

/** Positions are offsets counted from 1, as everywhere here; Kafka's begin at 0. */
export function positionOf(offset: number): number {
  return offset + 1
}

/** The Kafka offset of a position. */
export function offsetOf(position: number): number {
  return Math.max(position - 1, 0)
}

/** The records of batches from an offset on, without the broker's own (ends of transactions). */
export function recordsOf(batches: readonly RecordsBatch[], from: number): FetchedRecord[] {
  return batches
    .filter(({ attributes }) => (attributes & control) === 0)
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

/** The offset behind the last batch, holes and all. */
export function endOf(batches: readonly RecordsBatch[], from: number): number {
  const last = batches.at(-1)
  return last === undefined ? from : Math.max(from, Number(last.firstOffset) + last.lastOffsetDelta + 1)
}

/** A record as a message; what a foreign producer does not say of it is taken from its place. */
export function carried({ offset, at, record }: FetchedRecord, place: RecordPlace): CarriedMessage {
  const { topic, incarnation, partition } = place
  const named = record.headers.map(([name, value]): [string, string] => [text(name), text(value)])
  // A topic made anew counts its offsets from the start, so its incarnation is part of the name.
  const id = `kafka-${topic}-${incarnation.slice(0, 8)}-${partition}-${offset}`
  const event = decodeEvent(kafkaBinding, named, { id, type: topic, at })
  return {
    ...event,
    key: record.key === null ? event.id : text(record.key),
    // A copy: the record lies in the answer to a fetch, which other readers share.
    body: new Uint8Array(record.value ?? []),
    position: positionOf(offset),
  }
}

function text(bytes: Buffer | null): string {
  return bytes === null ? '' : bytes.toString()
}
