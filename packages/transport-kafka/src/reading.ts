import { type Batch, type CarriedMessage, messageBytes } from '@headrace/transport'
import { carried, type FetchedRecord } from './records.ts'

export interface ReadLimits {
  readonly maxMessages: number
  readonly maxBytes: number
}

/** Where a read stands, and what was fetched for it and not yet taken. */
export class Reading {
  readonly topic: string
  readonly partition: number
  incarnation: string
  /** The Kafka offset that is fetched next. */
  next: number
  /** When it was last asked for, counted by the fetcher. */
  turn = 0
  /** End of the partition when it was last heard of. */
  #end = 0
  #records: readonly FetchedRecord[] = []
  #taken = 0
  #failure: Error | undefined
  #waiting: PromiseWithResolvers<void> | undefined
  readonly #limits: ReadLimits

  constructor(
    place: { topic: string; partition: number },
    from: { incarnation: string; next: number },
    limits: ReadLimits,
  ) {
    this.topic = place.topic
    this.partition = place.partition
    this.incarnation = from.incarnation
    this.next = from.next
    this.#limits = limits
  }

  /**
   * True when something should be fetched: the reader waits, or there is a backlog to read ahead in while it handles
   * the last of what is here. At the partition's end nothing is read ahead: what comes meanwhile is one batch then.
   */
  get wants(): boolean {
    if (this.#failure !== undefined || this.#taken < this.#records.length) return false
    return this.#waiting !== undefined || this.next < this.#end
  }

  /** Resolves when a batch can be taken or the read has failed; `wake` is called when it has to be fetched. */
  async ready(wake: () => void): Promise<void> {
    if (this.#taken < this.#records.length || this.#failure !== undefined) return
    this.#waiting ??= Promise.withResolvers()
    const { promise } = this.#waiting
    wake()
    await promise
  }

  /** Takes the next batch; undefined when nothing is here. Throws what the read failed with. */
  take(): Batch | undefined {
    const messages = this.#decode()
    if (messages.length > 0) {
      const atEnd = this.#taken === this.#records.length && this.next >= this.#end
      return { incarnation: this.incarnation, messages, atEnd }
    }
    if (this.#failure !== undefined) throw this.#failure
    return undefined
  }

  /** Gives records that were fetched; `next` is where to go on, `end` where the partition ended then. */
  offer(fetched: { readonly records: readonly FetchedRecord[]; readonly next: number; readonly end: number }): void {
    this.#records = fetched.records.filter(({ offset }) => offset >= this.next)
    this.#taken = 0
    this.next = fetched.next
    this.#end = fetched.end
    if (this.#records.length > 0) this.#wake()
  }

  /** Goes on elsewhere: in a topic made anew, or where the partition begins now. */
  moveTo(incarnation: string, next: number): void {
    this.incarnation = incarnation
    this.next = next
    this.#end = 0
  }

  fail(error: Error): void {
    this.#failure = error
    this.#wake()
  }

  #wake(): void {
    this.#waiting?.resolve()
    this.#waiting = undefined
  }

  /** Lets go of the answer in which the records lie: the next one may be here before the reader is back. */
  #release(): void {
    this.#records = []
    this.#taken = 0
  }

  #decode(): CarriedMessage[] {
    const messages: CarriedMessage[] = []
    let bytes = 0
    while (messages.length < this.#limits.maxMessages) {
      const fetched = this.#records[this.#taken]
      if (fetched === undefined) break
      const message = carried(fetched, this)
      bytes += messageBytes(message)
      if (messages.length > 0 && bytes > this.#limits.maxBytes) break
      messages.push(message)
      this.#taken += 1
    }
    if (this.#taken === this.#records.length) this.#release()
    return messages
  }
}
