const prefix = new TextEncoder().encode('PROCESSED_')

/** The built-in processor: `PROCESSED_` and the payload. */
export function builtInProcessor(payload: Uint8Array): Uint8Array {
  const result = new Uint8Array(prefix.length + payload.length)
  result.set(prefix)
  result.set(payload, prefix.length)
  return result
}
