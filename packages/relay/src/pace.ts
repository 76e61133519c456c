/** At first, and at most: a provider that takes them quickly is soon sent as many as one read of the log brings. */
const firstMessages = 32
export const maxMessages = 1_024

/**
 * How many messages are published at once to a partition of a provider: as many as it confirms in a small part of the
 * time that a publish may take. A broker that syncs each message on a slow disk, and gets sixteen partitions at a time,
 * would otherwise never confirm any of them in time, and be sent all of them again.
 */
export class Pace {
  #messages = firstMessages
  readonly #quickMs: number
  readonly #slowMs: number

  constructor(timeoutMs: number) {
    this.#quickMs = timeoutMs / 100
    this.#slowMs = timeoutMs / 10
  }

  get messages(): number {
    return this.#messages
  }

  /** A publish has ended after so many ms, and has brought so many messages; 0 when it failed. */
  ended(count: number, ms: number): void {
    if (ms > this.#slowMs) this.#messages = Math.max(1, this.#messages >> 1)
    else if (ms < this.#quickMs && count >= this.#messages) this.#messages = Math.min(maxMessages, this.#messages * 2)
  }
}
