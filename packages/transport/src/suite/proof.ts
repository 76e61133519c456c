import { randomUUID } from 'node:crypto'
import { withDeadline } from '@headrace/runtime'
import { logPartitions, type Message } from '../message.ts'
import type { Transport } from '../transport.ts'
import { type CarrierHarness, type CarrierUnderTest, type Sizes, suiteSizes } from './harness.ts'
import { appending, type Publisher, publisherOn } from './publisher.ts'
import { Reader, type Reading } from './reader.ts'

/** What a promise about the carrier alone is proven with: a topic of its own, users, readers and deadlines. */
export class CarrierProof implements AsyncDisposable {
  readonly topic = `suite-${randomUUID()}`
  readonly sizes: Sizes
  readonly deadlineMs: number
  readonly limitBytes: number
  readonly carrier: CarrierUnderTest
  readonly #open: AsyncDisposableStack

  /** Opens the carrier and makes the topic. */
  static async open(harness: CarrierHarness): Promise<CarrierProof> {
    await using open = new AsyncDisposableStack()
    const carrier = open.use(await harness.open())
    const proof = new CarrierProof(harness, carrier, open.move())
    await carrier.declareTopic?.(proof.topic)
    return proof
  }

  private constructor(harness: CarrierHarness, carrier: CarrierUnderTest, open: AsyncDisposableStack) {
    this.sizes = { ...suiteSizes, ...harness.sizes }
    this.deadlineMs = harness.deadlineMs ?? 30_000
    this.limitBytes = harness.messageLimitBytes ?? 921_600
    this.carrier = carrier
    this.#open = open
  }

  async connect(): Promise<Transport> {
    return this.#open.use(await this.carrier.connect())
  }

  /** A publisher of its own, or on a given user; appends where that is publishing. */
  async publisher(on?: Transport): Promise<Publisher> {
    const { append } = this.carrier
    const publisher =
      append === undefined
        ? await publisherOn(on ?? (await this.connect()), { topic: this.topic })
        : appending((messages) => append(this.topic, messages))
    return { put: (messages) => this.within('the publish', publisher.put(messages)) }
  }

  async put(messages: readonly Message[], on?: Transport): Promise<void> {
    const publisher = await this.publisher(on)
    await publisher.put(messages)
  }

  /** Reads a partition of the log's numbering: it travels in the carrier's partition p mod n. */
  async reader(options: Omit<Reading, 'topic'>, on?: Transport): Promise<Reader> {
    const carrier = on ?? (await this.connect())
    const partition = options.partition % (await carrier.partitions(this.topic))
    return this.#open.use(new Reader(carrier, { ...options, topic: this.topic, partition }, this.deadlineMs))
  }

  /** Partitions of the log, at most `count`, that travel in different partitions of the carrier. */
  async partitions(count: number, on: Transport): Promise<number[]> {
    const length = Math.min(count, logPartitions, await on.partitions(this.topic))
    return Array.from({ length }, (_, partition) => partition)
  }

  /** Waits, but not for ever: fails with what was missing. */
  within<T>(what: string, work: Promise<T>): Promise<T> {
    return withDeadline(work, this.deadlineMs, () => new Error(`not within ${this.deadlineMs} ms: ${what}`))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.within('everything that was open is closed', this.#open.disposeAsync())
  }
}

/** Proves one promise about the carrier alone, and closes everything behind it. */
export async function proveOnCarrier(
  harness: CarrierHarness,
  promise: { prove(proof: CarrierProof): Promise<void> },
): Promise<void> {
  await using proof = await CarrierProof.open(harness)
  await promise.prove(proof)
}
