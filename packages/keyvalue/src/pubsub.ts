/**
 * Hints between the parts of a program: each subscription that is connected gets a message at most once, those of one
 * publisher in its order, and nobody is told of one that was lost. Whoever must not miss anything keeps the truth
 * elsewhere and looks there from time to time.
 */
export interface PubSub {
  /** Largest payload in bytes of UTF-8. With more to say, publish where to look. */
  readonly payloadLimitBytes: number
  /**
   * Hands the payload to the channel's subscriptions after this call has returned; never waits. Throws `RangeError` or
   * `TypeError` when the channel or the payload is out of bounds; whatever else goes wrong loses the message.
   * A payload is text without NUL and lone surrogates and may be empty.
   */
  publish(channel: string, payload: string): void
  /**
   * Calls the listener with each payload published on the channel from now on, by this process or, once the driver's
   * connection listens, by another. Returns what ends it; after that the listener is not called again. A listener that
   * throws harms nobody else.
   */
  subscribe(channel: string, listener: PubSubListener): () => void
}

export type PubSubListener = (payload: string) => void

export interface PubSubOptions {
  /** Told of what listeners throw. */
  readonly onError: (error: unknown) => void
}

/** For drivers: throws `RangeError` unless the channel is a lower-case word of 1 to 40 letters, digits, `.`, `_`, `-`. */
export function requireChannel(channel: string): void {
  if (/^[a-z][a-z0-9._-]{0,39}$/.test(channel)) return
  throw new RangeError(`channel: '${channel}' is not a lower-case word of 1 to 40 letters, digits, '.', '_', '-'`)
}
