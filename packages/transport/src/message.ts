import { crc32 } from 'node:zlib'

/** Headers of a message: names in lower case, values without line breaks. */
export type Headers = Readonly<Record<string, string>>

/** A message: an envelope of bytes. */
export interface Message {
  /** Unique id, by which it is found and recognised by people; delivery does not depend on it. */
  readonly id: string
  /** Messages with the same key keep their order. */
  readonly key: string
  /** What happened or is asked for, e.g. `orders.placed`. */
  readonly type: string
  readonly headers: Headers
  readonly body: Uint8Array
}

/** Where a message stands in its producer's log: gapless, in commit order, for ever. */
export interface Origin {
  /** The log's incarnation (a UUID). */
  readonly log: string
  readonly partition: number
  /** Gapless from 1. */
  readonly offset: number
  /** Where the relay began that brought it: this carrier need not hold anything at or before this offset. */
  readonly base?: number
}

/** A place in what a carrier holds. Numbers of different incarnations cannot be compared. */
export interface CarrierPosition {
  /** Changes when the carrier's topic was made anew: a Kafka topic id, a stream's creation time, a log's UUID. */
  readonly incarnation: string
  readonly number: number
}

/** A message as a carrier delivers it. */
export interface CarriedMessage extends Message {
  /** Position in the carrier; the next read after it starts at `number + 1`. */
  readonly position: number
  /** When the carrier or log took it, in ms since the epoch. */
  readonly at: number
  /** Absent on messages of foreign producers: their origin is the carrier's own partition and position. */
  readonly origin?: Origin
}

/** Number of partitions of a topic's log, fixed at the topic's creation. */
export const logPartitions = 16

/** The partition of a key: CRC-32 of its UTF-8 bytes, modulo the number of partitions. The same everywhere. */
export function partitionOf(key: string, partitions: number = logPartitions): number {
  return crc32(key) % partitions
}

/** Bytes that a message takes as encoded: body, headers, key, id and type. */
export function messageBytes(message: Message): number {
  let bytes = message.body.byteLength + Buffer.byteLength(message.key) + message.id.length + message.type.length
  for (const name in message.headers) bytes += name.length + Buffer.byteLength(message.headers[name] ?? '') + 4
  return bytes
}
