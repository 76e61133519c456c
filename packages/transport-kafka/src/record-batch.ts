import { type CreateRecordsBatchOptions, crc32c, type MessageRecord } from '@platformatic/kafka'
import { RecordWriter } from './record-writer.ts'

/** Where the parts of a batch's head lie, in bytes. (Kafka, message format v2: RecordBatch.) */
const head = {
  length: 8,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  firstTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  firstSequence: 53,
  records: 57,
  end: 61,
} as const
const magic = 2

/**
 * A batch of one partition as it travels. The value of each message is what a record holds behind its place in the
 * batch: key, value and headers, encoded before (`produced`). All messages of a batch have one timestamp.
 */
export function recordBatch(messages: readonly MessageRecord[], options: Partial<CreateRecordsBatchOptions>): Buffer {
  const [first] = messages
  const writer = new RecordWriter()
  writer.append(Buffer.alloc(head.end))
  for (const [index, { value }] of messages.entries()) {
    // Attributes, difference of time and difference of offset stand before it.
    writer.varint(2 + varintBytes(index) + value.length)
    writer.append(nothing)
    writer.varint(index)
    writer.append(value)
  }
  const batch = writer.written
  const timestamp = first?.timestamp ?? BigInt(Date.now())
  batch.writeInt32BE(batch.length - head.length - 4, head.length)
  batch.writeInt8(magic, head.magic)
  batch.writeInt16BE(0, head.attributes)
  batch.writeInt32BE(messages.length - 1, head.lastOffsetDelta)
  batch.writeBigInt64BE(timestamp, head.firstTimestamp)
  batch.writeBigInt64BE(timestamp, head.maxTimestamp)
  batch.writeBigInt64BE(options.producerId ?? -1n, head.producerId)
  batch.writeInt16BE(options.producerEpoch ?? 0, head.producerEpoch)
  batch.writeInt32BE(options.sequences?.get(`${first?.topic}:${first?.partition}`) ?? 0, head.firstSequence)
  batch.writeInt32BE(messages.length, head.records)
  batch.writeUInt32BE(crc32c(batch.subarray(head.attributes)), head.crc)
  return batch
}

/** No attributes, and no difference of time. */
const nothing = Buffer.from([0, 0])

function varintBytes(value: number): number {
  let bytes = 1
  for (let left = value << 1; left > 0x7f; left >>>= 7) bytes += 1
  return bytes
}
