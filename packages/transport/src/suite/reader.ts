import assert from 'node:assert/strict'
import { withDeadline } from '@headrace/runtime'
import { type CarriedMessage, messageBytes } from '../message.ts'
import { type Batch, type ReadFrom, readDefaults, type Transport } from '../transport.ts'

export interface Reading {
  readonly topic: string
  /** The carrier's partition. */
  readonly partition: number
  readonly from?: ReadFrom
  readonly maxMessages?: number
  readonly maxBytes?: number
  readonly group?: string
}

export const beginning = { kind: 'beginning' } as const satisfies ReadFrom

/** Where to go on after a message. */
export function after(batch: Pick<Batch, 'incarnation'>, message: CarriedMessage | undefined, distance = 1): ReadFrom {
  const number = (message?.position ?? 0) + distance
  return { kind: 'position', position: { incarnation: batch.incarnation, number } }
}

/** One read, of which every batch is checked against what each must be. */
export class Reader implements AsyncDisposable {
  readonly messages: CarriedMessage[] = []
  readonly batches: Batch[] = []
  readonly #ending = new AbortController()
  readonly #batches: AsyncIterator<Batch>
  readonly #reading: Reading
  readonly #deadlineMs: number

  constructor(carrier: Transport, reading: Reading, deadlineMs: number) {
    const { topic, partition, from = beginning, ...limits } = reading
    const read = carrier.read(topic, partition, from, { ...limits, signal: this.#ending.signal })
    this.#batches = read[Symbol.asyncIterator]()
    this.#reading = reading
    this.#deadlineMs = deadlineMs
  }

  get last(): CarriedMessage | undefined {
    return this.messages.at(-1)
  }

  /** Where a reader goes on that has handled all of this. */
  get next(): ReadFrom {
    const batch = this.batches.at(-1)
    return batch === undefined ? beginning : after(batch, this.last)
  }

  /** Reads on until at least so many messages are there. */
  async until(count: number): Promise<this> {
    while (this.messages.length < count)
      assert.ok(await this.step(`${count} messages`), `the read ended: ${this.#state}`)
    return this
  }

  /** Reads on until the carrier says that it holds no more. */
  async untilEnd(): Promise<this> {
    do assert.ok(await this.step('the end of what is held'), `the read ended: ${this.#state}`)
    while (this.batches.at(-1)?.atEnd !== true)
    return this
  }

  /** Takes one batch; undefined when the read has ended. */
  async step(wanted = 'a batch'): Promise<Batch | undefined> {
    const late = () => new Error(`not within ${this.#deadlineMs} ms: ${wanted}; ${this.#state}`)
    const { done, value } = await withDeadline(this.#batches.next(), this.#deadlineMs, late)
    if (done === true) return undefined
    this.#check(value)
    this.batches.push(value)
    this.messages.push(...value.messages)
    return value
  }

  /** Ends the read by its signal. */
  abort(): void {
    this.#ending.abort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort()
    const late = () => new Error(`not within ${this.#deadlineMs} ms: the end of an aborted read; ${this.#state}`)
    await withDeadline(Promise.resolve(this.#batches.return?.()), this.#deadlineMs, late)
  }

  #check(batch: Batch): void {
    const { maxMessages = readDefaults.maxMessages, maxBytes = readDefaults.maxBytes } = this.#reading
    const { length } = batch.messages
    assert.ok(length > 0, 'a batch holds at least one message')
    assert.ok(length <= maxMessages, `a batch of ${length} messages, ${maxMessages} were asked for`)
    const bytes = batch.messages.reduce((sum, message) => sum + messageBytes(message), 0)
    assert.ok(length === 1 || bytes <= maxBytes, `a batch of ${bytes} bytes, ${maxBytes} were asked for`)
    const before = this.batches.at(-1)
    let position = before?.incarnation === batch.incarnation ? (this.last?.position ?? 0) : 0
    for (const message of batch.messages) {
      assert.ok(message.position > position, `position ${message.position} after ${position}`)
      position = message.position
    }
  }

  get #state(): string {
    const { topic, partition } = this.#reading
    return `${this.messages.length} messages of ${topic}/${partition} so far, the last ${this.last?.id ?? 'none'}`
  }
}
