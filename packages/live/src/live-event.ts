/** Something that happened to a subject. */
export interface LiveEvent {
  /** Whose stream it belongs to, such as `orders:<user id>`: 1 to 200 bytes of text. Begins with the module's name. */
  readonly subject: string
  /** The event's name on the wire, such as `order-update`: a lower-case word of 1 to 60 letters, digits and `-`. */
  readonly event: string
  /** Sent as JSON; at most 1 MiB of it. */
  readonly data: unknown
}

/** An event as it is stored and sent: its data as JSON on one line. */
export interface EncodedEvent {
  readonly subject: string
  readonly event: string
  readonly json: string
}

/** Most bytes of an event's JSON. */
export const eventLimitBytes = 1_048_576

/** Names that the streams themselves send. */
const reserved: ReadonlySet<string> = new Set(['connected', 'reset'])

/** The event as it is stored. Throws `RangeError` or `TypeError` that names the field when something is out of bounds. */
export function encodeEvent({ subject, event, data }: LiveEvent): EncodedEvent {
  requireSubject(subject)
  if (!/^[a-z][a-z0-9-]{0,59}$/.test(event) || reserved.has(event)) {
    throw new RangeError(`event: '${event}' is no lower-case word of 1 to 60 letters, digits and '-', or is reserved`)
  }
  return { subject, event, json: encodeData(data) }
}

/** JSON on one line: `JSON.stringify` escapes line ends, NUL and lone surrogates. */
export function encodeData(data: unknown): string {
  const json: string | undefined = JSON.stringify(data)
  if (json === undefined) throw new TypeError('data: is nothing that JSON can say')
  const bytes = Buffer.byteLength(json)
  if (bytes > eventLimitBytes) throw new RangeError(`data: ${bytes} bytes are more than ${eventLimitBytes}`)
  return json
}

/** The first items of a list, as many as one event holds beside 1 KiB of anything else. */
export function thatFitOneEvent<Item>(items: readonly Item[]): readonly Item[] {
  let bytes = 1_024
  const over = items.findIndex((item) => {
    bytes += Buffer.byteLength(JSON.stringify(item)) + 1
    return bytes > eventLimitBytes
  })
  return over === -1 ? items : items.slice(0, over)
}

/** Throws `RangeError` unless the subject is text of 1 to 200 bytes without control characters. */
export function requireSubject(subject: string): void {
  const isPlain = subject.isWellFormed() && !/\p{Cc}/u.test(subject)
  if (subject !== '' && isPlain && Buffer.byteLength(subject) <= 200) return
  throw new RangeError('subject: is empty, longer than 200 bytes, or holds control characters')
}
