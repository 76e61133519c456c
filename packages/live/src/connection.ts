import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { endStream } from '@headrace/http-kit'
import { type Frame, heartbeatFrame } from './frame.ts'
import type { Batch } from './sequence.ts'
import type { Subject } from './subject.ts'

/** The subject's present state, for a client whose position is older than what is kept; no more than one event holds. */
export type Snapshot = () => Promise<unknown>

export interface ConnectionNeeds {
  readonly answer: ServerResponse
  readonly subject: Subject
  /** The position that the client has. */
  readonly position: number
  readonly snapshot: Snapshot
  /** Most bytes that may wait for a client when more comes. */
  readonly bufferLimitBytes: number
  /** Told when the client is cut off for reading too slowly. */
  readonly onSlow: () => void
}

/**
 * One client. Modes: behind (it is given what it missed, from the table) → live (it is given batches as they come), and
 * back when a batch does not fit its position; closed from either. The hub changes them.
 */
export class Connection {
  readonly subject: Subject
  readonly snapshot: Snapshot
  /** The last event that was written; what was cut off on the way is asked for again by the client. */
  position: number
  isLive = false
  isCatchingUp = false
  readonly #answer: ServerResponse
  readonly #bufferLimitBytes: number
  readonly #onSlow: () => void
  /** Bytes taken by the socket at the last heartbeat while some were waiting. */
  #stalledAt: number | undefined

  constructor(needs: ConnectionNeeds) {
    this.subject = needs.subject
    this.snapshot = needs.snapshot
    this.position = needs.position
    this.#answer = needs.answer
    this.#bufferLimitBytes = needs.bufferLimitBytes
    this.#onSlow = needs.onSlow
  }

  get isClosed(): boolean {
    return this.#answer.destroyed || this.#answer.writableEnded
  }

  /** Writes a frame; a client that already has too much waiting is cut off, and comes again where it was. */
  write(frame: Frame): void {
    if (this.isClosed) return
    if (this.#answer.writableLength > this.#bufferLimitBytes) this.#giveUp()
    else this.#answer.write(frame)
  }

  /** Writes what this client lacks of a batch. Tells whether it fits: false when the client lacks more. */
  deliver(batch: Batch, whole: Frame): boolean {
    if (this.position < batch.from) return false
    if (this.position === batch.from) this.write(whole)
    else {
      const rest = batch.parts.filter(({ seq }) => seq === 0 || seq > this.position)
      if (rest.length > 0) this.write(Buffer.concat(rest.map(({ frame }) => frame)))
    }
    this.position = Math.max(this.position, batch.upTo)
    return true
  }

  /** Resolves when the client has taken most of what was written, or is gone. */
  async drained(): Promise<void> {
    if (this.isClosed || !this.#answer.writableNeedDrain) return
    const over = new AbortController()
    try {
      await Promise.race(['drain', 'close'].map((name) => once(this.#answer, name, { signal: over.signal })))
    } finally {
      over.abort()
    }
  }

  /** Shows that the connection lives, or ends one that has taken nothing since the last time. */
  beat(): void {
    const socket = this.#answer.socket
    if (this.isClosed || socket === null) return
    if (this.#answer.writableLength === 0) {
      this.#stalledAt = undefined
      this.#answer.write(heartbeatFrame)
      return
    }
    const taken = socket.bytesWritten - socket.writableLength
    if (this.#stalledAt === taken) this.#giveUp()
    this.#stalledAt = taken
  }

  cut(): void {
    this.#answer.destroy()
  }

  end(): void {
    if (!this.isClosed) endStream(this.#answer)
  }

  #giveUp(): void {
    this.#onSlow()
    this.cut()
  }
}
