import type { Database } from '@headrace/database'
import type { Lease, LeaseHolder } from '@headrace/inbox'
import { backoffMs, type FaultPoints, type OnBackgroundError, sleep } from '@headrace/runtime'
import type { CarriedMessage, OutgoingMessage, Transport } from '@headrace/transport'
import type { CursorMover } from './cursor-mover.ts'
import { type Cursor, goBack, noteIncarnation, type RelayPlace, takeCursor } from './cursors.ts'
import { maxMessages } from './pace.ts'
import type { Provider } from './provider.ts'

export interface PartitionRelayNeeds {
  readonly database: Database
  /** The log as a carrier: what is relayed. */
  readonly source: Transport
  readonly logId: string
  readonly place: RelayPlace
  readonly provider: Provider
  readonly mover: CursorMover
  readonly faults: FaultPoints
  readonly onError: OnBackgroundError
  /** The provider's incarnation of the topic as it was last seen; undefined before. */
  readonly incarnation: () => string | undefined
  /** Told of each position that the carrier has confirmed. */
  readonly confirmed: (partition: number, position: number) => void
}

/** Waits between two tries of one batch, in ms. */
const backoff = { baseMs: 50, maxMs: 2_000 } as const

/**
 * Relays one leased partition: one batch in flight, in order. What fails, or whose outcome is not known, is published
 * again from the last confirmed position (Go-Back-N), so that the carrier lags by suffix and never by hole.
 *
 * Modes: taking over → relaying → ended (lease lost) or stopped.
 */
export class PartitionRelay implements LeaseHolder {
  readonly lease: Lease
  ended = false
  readonly #needs: PartitionRelayNeeds
  readonly #stopping = new AbortController()
  readonly #signal: AbortSignal
  readonly #run: Promise<void>
  #cursor: Cursor = { position: 0, base: 0, incarnation: '', sinceMs: 0 }
  /** Ends the present read of the log, to begin again at the cursor. */
  #again = new AbortController()
  #moved: Promise<unknown> = Promise.resolve()
  #lost = false

  constructor(needs: PartitionRelayNeeds, lease: Lease) {
    this.lease = lease
    this.#needs = needs
    this.#signal = AbortSignal.any([this.#stopping.signal, lease.term.signal])
    this.#run = this.#relay()
  }

  /** The last offset that the carrier has confirmed. */
  get position(): number {
    return this.#cursor.position
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#run
  }

  /** Reads again from the cursor: something about the carrier has changed. */
  again(): void {
    this.#again.abort()
  }

  /** The carrier has lost what it held: goes back to what groups still need. */
  backToGroups(): void {
    this.#lost = true
    this.#again.abort()
  }

  async #relay(): Promise<void> {
    const { onError, place } = this.#needs
    let isOurs = false
    for (let failures = 0; !this.#signal.aborted; ) {
      try {
        isOurs ||= await this.#takeOver()
        if (!isOurs || !(await this.#relayOnce())) break
        failures = 0
      } catch (error) {
        if (this.#signal.aborted) break
        if (this.#again.signal.aborted) continue
        onError(error, `relay of ${place.topic}/${this.lease.partition} to ${place.provider}`)
        failures += 1
        await sleep(backoffMs(failures, backoff), this.#signal)
      }
    }
    this.ended = true
    this.#stopping.abort()
    await this.#moved
  }

  async #takeOver(): Promise<boolean> {
    const { database, place } = this.#needs
    const cursor = await takeCursor(database, place, this.lease)
    if (cursor === undefined) return false
    this.#cursor = cursor
    this.#needs.confirmed(this.lease.partition, cursor.position)
    return true
  }

  /** Publishes from the cursor on, until something makes it begin again. False: the lease is not ours any more. */
  async #relayOnce(): Promise<boolean> {
    this.#again = new AbortController()
    if (!(await this.#knowIncarnation())) return false
    const signal = AbortSignal.any([this.#signal, this.#again.signal])
    for await (const { messages } of this.#read(signal)) {
      for (let rest = messages; rest.length > 0 && !signal.aborted; ) {
        const { provider } = this.#needs
        const atOnce = provider.atOnce(this.lease.partition)
        const part = rest.slice(0, atOnce)
        if (part.length < atOnce) await provider.departure()
        await this.#publish(part, signal)
        rest = rest.slice(part.length)
      }
      if (signal.aborted) break
    }
    return !this.#signal.aborted
  }

  async #publish(messages: readonly CarriedMessage[], signal: AbortSignal): Promise<void> {
    const { faults, provider } = this.#needs
    await faults.at('relay.before-publish')
    await provider.publish(this.lease.partition, messages.map(outgoing(this.#cursor.base)), signal)
    await faults.at('relay.after-publish')
    this.#confirm(messages)
  }

  #read(signal: AbortSignal) {
    const { source, logId, place } = this.#needs
    const position = { incarnation: logId, number: this.#cursor.position + 1 }
    const from = { kind: 'position', position, atMs: this.#cursor.sinceMs } as const
    return source.read(place.topic, this.lease.partition, from, { signal, maxMessages })
  }

  /** The cursor follows the confirmation, never the other way round. */
  #confirm(messages: readonly CarriedMessage[]): void {
    const last = messages.at(-1)
    if (last === undefined) return
    const { partition, epoch } = this.lease
    this.#cursor = { ...this.#cursor, position: last.position, sinceMs: last.at }
    this.#needs.confirmed(partition, last.position)
    const move = { partition, epoch, position: last.position, sinceMs: last.at }
    this.#moved = this.#needs.mover.move(move).then((isOurs) => {
      if (!isOurs) this.#stopping.abort()
      else return this.#needs.faults.at('relay.after-move')
    })
  }

  /**
   * Compares the carrier's incarnation with the one that was written to. One that was made anew holds nothing of what
   * was confirmed before: the cursor goes back. False: fenced.
   */
  async #knowIncarnation(): Promise<boolean> {
    const { database, place, incarnation } = this.#needs
    const known = this.#cursor.incarnation
    const seen = incarnation() ?? known
    if (seen === known && !this.#lost) return true
    const { partition, epoch } = this.lease
    const now = { partition, epoch, incarnation: seen }
    if (known === '' && !this.#lost) {
      this.#cursor = { ...this.#cursor, incarnation: seen }
      return noteIncarnation(database, place, now)
    }
    // What is still being moved must not come after it.
    await this.#moved
    const cursor = await goBack(database, place, now)
    if (cursor === undefined) return false
    this.#lost = false
    this.#cursor = cursor
    return true
  }
}

/** A message as it is carried: with where it stands in the log, and where carrying began. */
function outgoing(base: number): (message: CarriedMessage) => OutgoingMessage {
  return ({ id, key, type, headers, body, at, origin }) => {
    const message = { id, key, type, headers, body, at }
    return origin === undefined ? message : { ...message, origin: { ...origin, base } }
  }
}
