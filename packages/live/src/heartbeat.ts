import { type OnBackgroundError, type Running, sleep, startLoop } from '@headrace/runtime'
import type { Connection } from './connection.ts'

/** Parts of a turn: each beats an equal share of the connections, so that they do not all write at once. */
const slots = 32

/** One timer for all connections: each beats once a turn. */
export class Heartbeat implements Running {
  readonly #wheel = Array.from({ length: slots }, () => new Set<Connection>())
  readonly #loop: Running
  #at = 0
  #next = 0

  constructor(everyMs: number, onError: OnBackgroundError) {
    const run = async (signal: AbortSignal) => {
      await sleep(everyMs / slots, signal)
      if (!signal.aborted) this.#turn()
    }
    this.#loop = startLoop({ name: 'live heartbeat', run, onError })
  }

  /** Adds a connection; returns what ends it. */
  add(connection: Connection): () => void {
    // Dealt out in turn, not by time: those that come together beat apart.
    const slot = this.#wheel[this.#next]
    this.#next = (this.#next + 1) % slots
    slot?.add(connection)
    return () => slot?.delete(connection)
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #turn(): void {
    for (const connection of this.#wheel[this.#at] ?? []) connection.beat()
    this.#at = (this.#at + 1) % slots
  }
}
