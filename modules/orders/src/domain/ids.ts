/** What ids are made of. */
export interface IdSource {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Random bytes, as many as asked for. */
  readonly randomBytes: (count: number) => Uint8Array
}

/** Makes UUIDs of version 7 (RFC 9562 §5.7): 48 bits of time, 74 random bits. */
export function newIds({ now, randomBytes }: IdSource): () => string {
  return () => {
    const random = [...randomBytes(10)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
    const time = now().toString(16).padStart(12, '0')
    const variant = ((Number.parseInt(random.slice(3, 4), 16) & 3) | 8).toString(16)
    return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-${variant}${random.slice(4, 7)}-${random.slice(7, 19)}`
  }
}

/** A UUID in lower case, or undefined when the text is none. */
export function readUuid(text: unknown): string | undefined {
  if (typeof text !== 'string') return undefined
  const lower = text.toLowerCase()
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(lower) ? lower : undefined
}
