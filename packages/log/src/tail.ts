import { type CarriedMessage, type LogRange, messageBytes } from '@headrace/transport'
import type { NewMessage } from './append.ts'

/** Messages of one partition with consecutive offsets, the newest of this process. */
interface Segment {
  records: CarriedMessage[]
  bytes: number
}

/**
 * The end of the log as this process wrote it, so that consumers here need not read back what was just appended.
 * A shortcut only: whatever is not in it is read from the database. A partition's segment holds consecutive offsets;
 * when another process appended in between, it starts anew.
 */
export class Tail {
  readonly #logId: string
  readonly #segments = new Map<string, Segment>()
  /** Topics that somebody here reads; nothing is kept of others. */
  readonly #read = new Set<string>()
  /**
   * Most messages and bytes kept of one partition: what a consumer that keeps up is behind by, and few enough to be gone
   * before the garbage collector takes them for old (with 1 024 accepting costs a tenth more).
   */
  static readonly maxMessages = 256
  static readonly maxBytes = 1024 * 1024

  constructor(logId: string) {
    this.#logId = logId
  }

  /** Keeps a message that was committed at this offset. Calls for one partition may come out of order. */
  add(
    message: NewMessage,
    place: { readonly partition: number; readonly offset: number; readonly atMs: number },
  ): void {
    if (!this.#read.has(message.topic)) return
    const name = `${message.topic}/${place.partition}`
    let segment = this.#segments.get(name)
    const next = segment?.records.at(-1)
    if (next !== undefined && place.offset <= next.position) return
    if (segment === undefined || next === undefined || place.offset !== next.position + 1) {
      segment = { records: [], bytes: 0 }
      this.#segments.set(name, segment)
    }
    segment.records.push(copyOf(this.#toCarried(message, place)))
    segment.bytes += messageBytes(message)
    while (segment.records.length > Tail.maxMessages || segment.bytes > Tail.maxBytes) halve(segment)
  }

  /** The range, if it begins in the tail; undefined when the database must be asked. */
  read({ topic, partition, from, maxMessages, maxBytes }: LogRange): readonly CarriedMessage[] | undefined {
    this.#read.add(topic)
    const records = this.#segments.get(`${topic}/${partition}`)?.records
    const first = records?.[0]
    if (records === undefined || first === undefined || from < first.position) return undefined
    const ahead = records.slice(from - first.position, from - first.position + maxMessages)
    if (ahead.length === 0) return undefined
    let bytes = 0
    const end = ahead.findIndex((record, index) => {
      bytes += messageBytes(record)
      return index > 0 && bytes > maxBytes
    })
    return (end < 0 ? ahead : ahead.slice(0, end)).map(copyOf)
  }

  /** Forgets everything: the connection was lost, and the server that comes back may be another. */
  clear(): void {
    this.#segments.clear()
  }

  #toCarried(message: NewMessage, place: { partition: number; offset: number; atMs: number }): CarriedMessage {
    return {
      id: message.id,
      key: message.key,
      type: message.type,
      headers: message.headers,
      body: message.body,
      position: place.offset,
      at: place.atMs,
      origin: { log: this.#logId, partition: place.partition, offset: place.offset },
    }
  }
}

/** As if it had come over a wire: whoever changes it afterwards changes it for nobody else. */
function copyOf(record: CarriedMessage): CarriedMessage {
  return { ...record, headers: { ...record.headers }, body: Buffer.from(record.body) }
}

/** Drops the older half, so that dropping costs little per message. */
function halve(segment: Segment): void {
  segment.records = segment.records.slice(Math.ceil(segment.records.length / 2))
  segment.bytes = segment.records.reduce((bytes, record) => bytes + messageBytes(record), 0)
}
