/** How long a value lives. */
export interface Ttl {
  /** Time to live in ms by the store's clock: an integer from 1 to `ttlLimitMs`. */
  readonly ttlMs: number
}

/** A count and how long it still lives. */
export interface Counter {
  readonly count: number
  /** Time in ms until counting starts again at 1; at least 1. */
  readonly expiresInMs: number
}

/**
 * Values by key that expire: sessions, throttles, short-lived results. Each call is atomic and seen by every process
 * that shares the store. It may lose its contents, so nothing that must not be lost is only here.
 *
 * Keys and values are text that every store holds unchanged: no NUL, no lone surrogates (what `JSON.stringify` returns
 * is always fine). Keys may show up in logs: put a hash there, not a secret.
 *
 * Every method throws `RangeError` or `TypeError` before anything is done when a key, value or time is out of bounds,
 * and `KEYVALUE_UNAVAILABLE` when the store does not answer: then a read has learned nothing (never "not found"), and
 * a write may have been done.
 */
export interface KeyValue {
  /** The value, or undefined when there is none or it has expired. */
  get(key: string): Promise<string | undefined>
  /** Stores the value; an older one, and its time, is replaced. */
  set(key: string, value: string, ttl: Ttl): Promise<void>
  /** Stores the value only where there is none. Of any number of simultaneous callers one gets true. */
  setIfAbsent(key: string, value: string, ttl: Ttl): Promise<boolean>
  /** Replaces the value only where it is exactly `expected`. Of any number of simultaneous callers one gets true. */
  compareAndSet(key: string, expected: string, value: string, ttl: Ttl): Promise<boolean>
  /** Removes the value and returns it. Of any number of simultaneous callers one gets it. */
  take(key: string): Promise<string | undefined>
  /** Removes the value; tells whether there was one. */
  delete(key: string): Promise<boolean>
  /**
   * Adds 1 to a count that starts at 0 and lives from its first increment on: later ones do not prolong it. `get`
   * returns it as decimal text. Throws `TypeError` when the value is no integer and leaves it as it is.
   */
  increment(key: string, ttl: Ttl): Promise<Counter>
}

/** Longest key in bytes of UTF-8; the shortest has 1. */
export const keyLimitBytes = 512

/** Longest value in bytes of UTF-8. */
export const valueLimitBytes = 1_048_576

/** Longest time to live in ms: 366 days. */
export const ttlLimitMs = 366 * 24 * 60 * 60 * 1_000

/** Throws `RangeError` or `TypeError` unless the key is within bounds. For drivers. */
export function requireKey(key: string): void {
  if (key === '') throw new RangeError('key: is empty')
  requireText('key', key, keyLimitBytes)
}

/** Throws `RangeError` or `TypeError` unless the value is within bounds. For drivers. */
export function requireValue(value: string): void {
  requireText('value', value, valueLimitBytes)
}

/** Throws `RangeError` unless the time to live is within bounds. For drivers. */
export function requireTtl({ ttlMs }: Ttl): void {
  if (Number.isInteger(ttlMs) && ttlMs >= 1 && ttlMs <= ttlLimitMs) return
  throw new RangeError(`ttlMs: ${ttlMs} is not an integer from 1 to ${ttlLimitMs}`)
}

/** Throws unless the text is unchanged by every store and has at most `limitBytes` bytes of UTF-8. For drivers. */
export function requireText(field: string, text: string, limitBytes: number): void {
  const bytes = Buffer.byteLength(text)
  if (bytes > limitBytes) throw new RangeError(`${field}: ${bytes} bytes are more than ${limitBytes}`)
  if (!text.isWellFormed() || text.includes('\0')) throw new TypeError(`${field}: holds a NUL or a lone surrogate`)
}
