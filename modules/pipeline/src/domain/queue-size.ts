/**
 * How many messages are accepted and not yet processed: what was counted last, and what has been added and removed here
 * since then. Never less than there are, as far as this process knows: what is added or removed while a count is under
 * way may be in it or not, so it is added and not removed. It does not see what other processes do between two counts.
 */
export interface QueueSize {
  readonly value: number
  added(count: number): void
  removed(count: number): void
  /** To be called before counting; the result is called with the count. */
  counting(): (count: number) => void
}

/** A size that starts at 0. */
export function queueSize(): QueueSize {
  let counted = 0
  let added = 0
  let removed = 0
  return {
    get value() {
      return Math.max(0, counted + added - removed)
    },
    added(count) {
      added += count
    },
    removed(count) {
      removed += count
    },
    counting() {
      const before = added
      return (count) => {
        counted = count
        added -= before
        removed = 0
      }
    },
  }
}
