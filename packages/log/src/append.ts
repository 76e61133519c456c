import { type Collector, type Statement, sqlState } from '@headrace/database'
import { PlatformError } from '@headrace/runtime'
import { type Headers, logPartitions, type Message, messageBytes, partitionOf } from '@headrace/transport'

/** A message to append. */
export interface NewMessage extends Message {
  readonly topic: string
  /** Told once it is committed where it stands; not at all when the answer to COMMIT was lost. */
  readonly placed?: (place: AppendedPlace) => void
}

/** A partition that a committed transaction appended to. */
export interface Appended {
  readonly topic: string
  readonly partition: number
  readonly nextOffset: number
}

/** Where a committed message stands. */
export interface AppendedPlace {
  readonly partition: number
  readonly offset: number
  /** The log's time of it, in ms since the epoch. */
  readonly atMs: number
}

/** Told of what was committed: once per partition, and before that once per message. */
export interface AppendListener {
  message(message: NewMessage, place: AppendedPlace): void
  committed(appended: readonly Appended[]): void
}

/** The rank of the log's heads in the global lock order: before live heads. */
const logRank = 10

interface AppendRow {
  readonly topic: string
  readonly partition: number
  readonly first_offset: number
  readonly at_ms: number
}

/** The collector that appends with COMMIT and tells the listener what was appended. */
export function appendCollector(listener: AppendListener): Collector<NewMessage, AppendRow> {
  return {
    name: 'log.append',
    rank: logRank,
    statement: appendStatement,
    committed(items, rows) {
      // Without rows the answer was lost; whoever waits for the messages finds them by its poll.
      const next = new Map(
        (rows ?? []).map((row) => [`${row.topic}/${row.partition}`, { ...row, offset: row.first_offset }]),
      )
      for (const item of items) {
        const partition = partitionOf(item.key, logPartitions)
        const slot = next.get(`${item.topic}/${partition}`)
        if (slot === undefined) continue
        const place = { partition, offset: slot.offset, atMs: slot.at_ms }
        listener.message(item, place)
        item.placed?.(place)
        slot.offset += 1
      }
      const appended = [...next.values()].map(({ topic, partition, offset }) => ({
        topic,
        partition,
        nextOffset: offset,
      }))
      listener.committed(appended)
    },
  }
}

/** Longest key and longest id or type, in bytes: they are index entries of several tables. */
const keyLimitBytes = 1_024
const nameLimitBytes = 512
/** A token (RFC 9110, section 5.6.2) in lower case. */
const headerName = /^[!#$%&'*+.^_`|~\da-z-]+$/

/** Throws `MESSAGE_MALFORMED` when the key, id, type or a header cannot be stored and carried as it is. */
export function requireStorable(message: Message): void {
  const { headers } = message
  for (const field of ['key', 'id', 'type'] as const) {
    const value = message[field]
    const limit = field === 'key' ? keyLimitBytes : nameLimitBytes
    if (isStorable(value) && (value.length <= limit / 3 || Buffer.byteLength(value) <= limit)) continue
    throw malformed(field, `well-formed text without NUL and at most ${limit} bytes`)
  }
  for (const name in headers) {
    // Refused here, or a broker would refuse it behind the commit, and all that follows would wait.
    if (headerName.test(name) && isStorable(headers[name] ?? '') && !/[\r\n]/.test(headers[name] ?? '')) continue
    throw malformed(`header ${JSON.stringify(name)}`, 'a token in lower case with text on one line')
  }
}

function malformed(field: string, must: string): PlatformError {
  return new PlatformError('MESSAGE_MALFORMED', `the message's ${field} must be ${must}`, { details: { field } })
}

function isStorable(value: string): boolean {
  return value.isWellFormed() && !value.includes('\u0000')
}

/** Throws `MESSAGE_TOO_LARGE` when the message is over the limit as encoded, headers included. */
export function requireWithinLimit(message: Message, limitBytes: number): void {
  const bytes = messageBytes(message)
  if (bytes <= limitBytes) return
  const text = `message ${message.id} has ${bytes} bytes, over the limit of ${limitBytes}`
  throw new PlatformError('MESSAGE_TOO_LARGE', text, { details: { bytes, limitBytes } })
}

/** Tells whether an append failed because a topic was never declared. */
export function isUnknownTopic(error: unknown): boolean {
  return sqlState(error) === 'HR001'
}

interface Slot {
  readonly topic: string
  readonly partition: number
  count: number
}

function slotsOf(messages: readonly NewMessage[]): Slot[] {
  const slots = new Map<string, Slot>()
  for (const { topic, key } of messages) {
    const partition = partitionOf(key, logPartitions)
    const name = `${topic}/${partition}`
    const slot = slots.get(name)
    if (slot === undefined) slots.set(name, { topic, partition, count: 1 })
    else slot.count += 1
  }
  return [...slots.values()].sort(byTopicAndPartition)
}

/** The order in which heads are locked; code units, as the column's collation "C" for the names that we allow. */
function byTopicAndPartition(a: Slot, b: Slot): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1
  return a.partition - b.partition
}

/** Columns instead of rows, and one blob for all bodies: arrays of bytea are slow to encode and to parse. */
function appendStatement(messages: readonly NewMessage[]): Statement {
  const slots = slotsOf(messages)
  const slotNumbers = new Map(slots.map(({ topic, partition }, index) => [`${topic}/${partition}`, index + 1]))
  const filled = new Array<number>(slots.length + 1).fill(0)
  const columns = { slot: [] as number[], ordinal: [] as number[], start: [] as number[], length: [] as number[] }
  let end = 0
  for (const { topic, key, body } of messages) {
    const slot = slotNumbers.get(`${topic}/${partitionOf(key, logPartitions)}`) ?? 0
    columns.slot.push(slot)
    columns.ordinal.push(filled[slot] ?? 0)
    filled[slot] = (filled[slot] ?? 0) + 1
    columns.start.push(end + 1)
    columns.length.push(body.byteLength)
    end += body.byteLength
  }
  return {
    name: 'log.append',
    text: `select topic, partition, first_offset, (extract(epoch from at) * 1000)::float8 as at_ms from headrace.log_append(
             $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    values: [
      slots.map(({ topic }) => topic),
      slots.map(({ partition }) => partition),
      slots.map(({ count }) => count),
      columns.slot,
      columns.ordinal,
      messages.map(({ key }) => key),
      messages.map(({ id }) => id),
      messages.map(({ type }) => type),
      messages.map(({ headers }) => encodeHeaders(headers)),
      columns.start,
      columns.length,
      messages.map(messageBytes),
      Buffer.concat(messages.map(({ body }) => body)),
    ],
  }
}

/** Headers as stored: the empty string for none, which is the common case, else JSON. */
export function encodeHeaders(headers: Headers): string {
  for (const _ in headers) return JSON.stringify(headers)
  return ''
}

export function decodeHeaders(text: string): Headers {
  // Written by encodeHeaders only.
  return text === '' ? noHeaders : (JSON.parse(text) as Headers)
}

const noHeaders: Headers = Object.freeze({})
