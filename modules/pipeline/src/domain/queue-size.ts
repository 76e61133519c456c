/**
 * How many messages are accepted and not yet processed: what was counted last, and what has been added and removed here
 * since then. Between two counts it does not see what other processes do.
 */
export interface QueueSize {
  readonly value: number
  added(count: number): void
  removed(count: number): void
  /** To be called before counting; the result is called with the count, and keeps what happened meanwhile. */
  counting(): (count: number) => void
}

/** A size that starts at 0. */
export function queueSize(): QueueSize {
  let counted = 0
  let change = 0
  return {
    get value() {
      return Math.max(0, counted + change)
    },
    added(count) {
      change += count
    },
    removed(count) {
      change -= count
    },
    counting() {
      const before = change
      return (count) => {
        counted = count
        change -= before
      }
    },
  }
}
