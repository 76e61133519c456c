import { randomUUID } from 'node:crypto'
import { Bell } from '@headrace/runtime'
import type {
  Batch,
  CarriedMessage,
  CarrierPosition,
  Held,
  Message,
  Origin,
  ReadFrom,
  ReadOptions,
  Transport,
} from '@headrace/transport'

/** A carrier that a test holds in its hands: it puts what it likes, where it likes, again if it likes. */
export class FakeCarrier implements Transport {
  readonly name: string
  readonly durability = 'memory'
  readonly isLog = false
  /** What consumers said that they have passed, by group, topic and partition. */
  readonly passedNotes: { readonly partition: number; readonly next: CarrierPosition }[] = []
  /** How often it was asked while broken. */
  refusals = 0
  /** Most messages in a batch, however many the reader takes. */
  batchSize = 256
  /** How far before the wanted position a read begins; drivers may deliver again. */
  rewind: () => number = () => 0
  readonly #partitions: number
  readonly #held = new Map<number, CarriedMessage[]>()
  readonly #bells = new Set<Bell>()
  #incarnation = randomUUID()
  #broken: Error | undefined

  constructor(name: string, partitions = 16) {
    this.name = name
    this.#partitions = partitions
  }

  get incarnation(): string {
    return this.#incarnation
  }

  /** Holds a message behind all others of its partition; `skip` leaves positions empty before it. */
  put(partition: number, message: Message & { readonly origin?: Origin; readonly at?: number }, skip = 0): void {
    const place = partition % this.#partitions
    const held = this.#held.get(place) ?? []
    const position = (held.at(-1)?.position ?? 0) + 1 + skip
    this.#held.set(place, [...held, { at: Date.now(), ...message, position }])
    this.#ring()
  }

  /** The topic is made anew, empty. */
  recreate(): void {
    this.#incarnation = randomUUID()
    this.#held.clear()
    this.#ring()
  }

  /** Ends all reads with this error, and new ones too, until it is `undefined`. */
  breakWith(error: Error | undefined): void {
    this.#broken = error
    this.#ring()
  }

  async partitions(): Promise<number> {
    return this.#partitions
  }

  publish(): Promise<void> {
    return Promise.reject(new TypeError('this carrier is filled by hand'))
  }

  async *read(_topic: string, partition: number, from: ReadFrom, options: ReadOptions): AsyncGenerator<Batch> {
    const bell = new Bell()
    this.#bells.add(bell)
    try {
      let incarnation = this.#incarnation
      const known = from.kind === 'position' && from.position.incarnation === incarnation
      let next = known ? from.position.number - this.rewind() : 1
      while (!options.signal.aborted) {
        this.#refuse()
        if (incarnation !== this.#incarnation) next = 1
        incarnation = this.#incarnation
        const messages = this.#from(partition, next, Math.min(this.batchSize, options.maxMessages ?? 256))
        const last = messages.at(-1)
        if (last === undefined) {
          await bell.wait(1_000, options.signal)
          continue
        }
        yield { incarnation, messages, atEnd: false }
        next = last.position + 1
      }
    } finally {
      this.#bells.delete(bell)
    }
  }

  async held(_topic: string, partition: number): Promise<Held> {
    this.#refuse()
    const held = this.#held.get(partition) ?? []
    const end = (held.at(-1)?.position ?? 0) + 1
    return { incarnation: this.#incarnation, first: held[0]?.position ?? end, end }
  }

  passed(_group: string, _topic: string, partition: number, next: CarrierPosition): void {
    this.passedNotes.push({ partition, next })
  }

  async probe(): Promise<void> {}

  async stop(): Promise<void> {}

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #refuse(): void {
    if (this.#broken === undefined) return
    this.refusals += 1
    throw this.#broken
  }

  #from(partition: number, next: number, count: number): CarriedMessage[] {
    return (this.#held.get(partition) ?? []).filter(({ position }) => position >= next).slice(0, count)
  }

  #ring(): void {
    for (const bell of this.#bells) bell.ring()
  }
}
