import { backoffMs, sleep, withDeadline } from '@headrace/runtime'
import type { CarriedMessage } from '../message.ts'
import type { Batch, OutgoingMessage, ReadFrom, Transport } from '../transport.ts'

const deadlineMs = 60_000

/** Publishes as a relay does: on any failure all again, in order, until the carrier has confirmed it. Returns how often it failed. */
export async function relayed(
  carrier: Transport,
  topic: string,
  partition: number,
  messages: readonly OutgoingMessage[],
): Promise<number> {
  for (let failures = 0; ; failures += 1) {
    const failed = await carrier.publish(topic, partition, messages).then(
      () => false,
      () => true,
    )
    if (!failed) return failures
    await sleep(backoffMs(failures + 1, { baseMs: 50, maxMs: 500 }))
  }
}

/** Reads a partition as the inbox does, again after each failure, and keeps everything that it was given. */
export class Follower implements AsyncDisposable {
  readonly messages: CarriedMessage[] = []
  readonly incarnations = new Set<string>()
  failures = 0
  readonly #ending = new AbortController()
  readonly #done: Promise<void>

  constructor(carrier: Transport, topic: string, partition: number) {
    this.#done = this.#follow(carrier, topic, partition)
  }

  /** Ids in the order in which they first came. */
  get ids(): string[] {
    return [...new Set(this.messages.map(({ id }) => id))]
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    const met = async () => {
      while (!condition()) await sleep(20, this.#ending.signal)
    }
    const late = () =>
      new Error(`not within ${deadlineMs} ms: ${what}; ${this.ids.length} ids, ${this.failures} failures`)
    await withDeadline(met(), deadlineMs, late)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort()
    await withDeadline(this.#done, deadlineMs, () => new Error('the read did not end'))
  }

  async #follow(carrier: Transport, topic: string, partition: number): Promise<void> {
    const { signal } = this.#ending
    let from: ReadFrom = { kind: 'beginning' }
    while (!signal.aborted) {
      try {
        for await (const batch of carrier.read(topic, partition, from, { signal })) from = this.#take(batch)
      } catch {
        this.failures += 1
      }
      // Also after a read that ended because its carrier was stopped.
      await sleep(100, signal)
    }
  }

  #take({ incarnation, messages }: Batch): ReadFrom {
    this.incarnations.add(incarnation)
    this.messages.push(...messages)
    const number = (messages.at(-1)?.position ?? 0) + 1
    return { kind: 'position', position: { incarnation, number } }
  }
}
