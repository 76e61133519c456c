import { eventFrame, type Frame, looseFrame } from './frame.ts'
import type { StoredEvent } from './store.ts'

/** Frames that go out together. */
export interface Batch {
  /** Position of whoever has everything before this batch. */
  readonly from: number
  /** Position afterwards. */
  readonly upTo: number
  /** In order; number 0 stands for an event without a position. */
  readonly parts: readonly { readonly seq: number; readonly frame: Frame }[]
}

/** Most events that are kept while those before them are missing; more are read again. */
const maxAhead = 64

/**
 * The events of one subject in order, whatever is heard of them in whatever order: 1, 2, 3, …, each once. What is heard
 * beyond the next one is kept, and what is missing is told, to be read from the table.
 */
export class Sequence {
  #position: number | undefined
  #known = 0
  #sent = 0
  readonly #ahead = new Map<number, Frame>()
  #ready: { seq: number; frame: Frame }[] = []

  /** The last event in order; undefined before `begin`. */
  get position(): number | undefined {
    return this.#position
  }

  /** The position up to which batches have been taken. */
  get sent(): number {
    return this.#sent
  }

  /** The position after which events must be read; undefined when nothing is known to be missing. */
  get missingAfter(): number | undefined {
    return this.#position !== undefined && this.#known > this.#position ? this.#position : undefined
  }

  /** Begins at the head that was read, unless it has begun; then the head is news like any other. */
  begin(head: number): void {
    this.#known = Math.max(this.#known, head)
    if (this.#position === undefined) {
      this.#position = head
      this.#sent = head
    }
    this.#advance()
  }

  /** Takes note that an event is there, of which the content may be known. */
  hear(seq: number, content?: { readonly event: string; readonly json: string }): void {
    if (this.#position !== undefined && seq <= this.#position) return
    this.#known = Math.max(this.#known, seq)
    if (content === undefined || this.#ahead.size >= maxAhead) return
    this.#ahead.set(seq, eventFrame(seq, content.event, content.json))
    this.#advance()
  }

  /** Adds an event without a position behind what is there. */
  add(content: { readonly event: string; readonly json: string }): void {
    if (this.#position !== undefined) this.#ready.push({ seq: 0, frame: looseFrame(content.event, content.json) })
  }

  /** Takes events that were read from the table. */
  fill(events: readonly StoredEvent[]): void {
    for (const { seq, event, json } of events) {
      if (this.#position === undefined || seq !== this.#position + 1) continue
      this.#known = Math.max(this.#known, seq)
      this.#go(seq, eventFrame(seq, event, json))
    }
    this.#advance()
  }

  /** Gives up what cannot be read: the head is the truth. Whoever missed something finds out by its own position. */
  settle(head: number): void {
    if (this.#position === undefined) return
    if (head > this.#position) {
      this.#ready = []
      this.#position = head
      this.#sent = head
    }
    this.#known = this.#position
    this.#advance()
  }

  /** What is to be sent, if there is anything. */
  take(): Batch | undefined {
    const parts = this.#ready
    if (parts.length === 0 || this.#position === undefined) return undefined
    const batch = { from: this.#sent, upTo: this.#position, parts }
    this.#ready = []
    this.#sent = this.#position
    return batch
  }

  #advance(): void {
    if (this.#position === undefined) return
    for (const seq of this.#ahead.keys()) if (seq <= this.#position) this.#ahead.delete(seq)
    for (
      let next = this.#ahead.get(this.#position + 1);
      next !== undefined;
      next = this.#ahead.get(this.#position + 1)
    ) {
      this.#ahead.delete(this.#position + 1)
      this.#go(this.#position + 1, next)
    }
  }

  #go(seq: number, frame: Frame): void {
    this.#ready.push({ seq, frame })
    this.#position = seq
  }
}
