/** What travels through the pipeline, whatever its encoding. */
export interface DataMessage {
  readonly id: string
  /** When it was accepted, in seconds since the epoch. */
  readonly timestamp: number
  /** Where it comes from; messages of one source keep their order. */
  readonly source: string
  readonly payload: Uint8Array
  readonly metadata: Readonly<Record<string, string>>
}

/** Longest message id, in characters: it stands in indexes. */
export const idLimitChars = 200

/** Longest source that is a key by itself, in characters; keys stand in indexes. */
const keyLimitChars = 256

/**
 * The key that keeps a source's order. Who names no source asks for no order: the message's id is its key. A source too
 * long for an index is named by a digest.
 */
export function orderingKey(
  message: { readonly id: string; readonly source: string },
  digest: (text: string) => string,
): string {
  const { id, source } = message
  if (source === '') return id
  return source.length <= keyLimitChars ? source : `digest:${digest(source)}`
}

/** Bytes of base64 text for so many bytes. */
export function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Tells whether a text is base64 (RFC 4648 §4) with its padding. */
export function isBase64(text: string): boolean {
  return text.length % 4 === 0 && base64.test(text)
}
