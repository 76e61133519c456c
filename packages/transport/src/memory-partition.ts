import { type CarriedMessage, messageBytes } from './message.ts'
import type { OutgoingMessage } from './transport.ts'

/** One partition in memory: messages at positions from 1, freed once every known group has passed them. */
export class HeldPartition {
  bytes = 0
  /** The position that the next message gets. */
  end = 1
  readonly #held: CarriedMessage[] = []
  /** What each known group has passed: everything before this position. */
  readonly #passed = new Map<string, number>()
  readonly #waiting = new Set<() => void>()

  get messages(): number {
    return this.#held.length
  }

  /** The first position that is held, or the end where nothing is. */
  get first(): number {
    return this.end - this.#held.length
  }

  add(messages: readonly OutgoingMessage[], at: number): void {
    for (const message of messages) {
      const carried = { ...copyOf(message), position: this.end, at }
      this.#held.push(carried)
      this.end += 1
      this.bytes += messageBytes(carried)
    }
    this.wake()
  }

  /** Copies of the messages from a position on, or from the first that is held; as many as fit, but at least one. */
  read(from: number, limits: { readonly maxMessages: number; readonly maxBytes: number }): CarriedMessage[] {
    const start = Math.max(from - this.first, 0)
    const messages: CarriedMessage[] = []
    let bytes = 0
    for (const message of this.#held.slice(start, start + limits.maxMessages)) {
      bytes += messageBytes(message)
      if (bytes > limits.maxBytes && messages.length > 0) break
      messages.push({ ...message, ...copyOf(message) })
    }
    return messages
  }

  introduce(group: string): void {
    this.#passed.set(group, this.first)
  }

  pass(group: string, next: number): void {
    const before = this.#passed.get(group)
    if (before === undefined || next <= before) return
    this.#passed.set(group, next)
    this.#free()
  }

  forget(group: string): void {
    this.#passed.delete(group)
    this.#free()
  }

  /** Resolves at the next change, or when the signal aborts. */
  change(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiting.add(wake)
      signal.addEventListener('abort', wake, { once: true })
    })
  }

  wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  #free(): void {
    if (this.#passed.size === 0) return
    const needed = Math.min(this.end, ...this.#passed.values())
    if (needed <= this.first) return
    for (const message of this.#held.splice(0, needed - this.first)) this.bytes -= messageBytes(message)
  }
}

/** Nobody who publishes or reads shares bytes or headers with anybody else, as if they had come over a wire. */
function copyOf(message: OutgoingMessage): OutgoingMessage {
  const { id, key, type, headers, body, origin } = message
  const copy = { id, key, type, headers: { ...headers }, body: Buffer.from(body) }
  return origin === undefined ? copy : { ...copy, origin: { ...origin } }
}
