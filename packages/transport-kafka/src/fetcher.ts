import { sleep } from '@headrace/runtime'
import type { Admin, FetchOptions } from '@platformatic/kafka'
import type { FetchResponse, KafkaConsumer } from './clients.ts'
import { responseOf, saysTimeout, unavailable } from './failures.ts'
import type { Reading } from './reading.ts'
import { endOf, recordsOf } from './records.ts'
import type { Topics } from './topics.ts'

export interface FetcherNeeds {
  readonly consumer: KafkaConsumer
  readonly admin: Admin
  readonly topics: Topics
}

/** Most bytes of one answer, and of one partition in it. A batch that is larger comes alone, when it is its turn. */
const answerBytes = 4 * 1024 * 1024
const partitionBytes = 512 * 1024
/** Longest wait of a broker for something to arrive, in ms: so long may a read that begins meanwhile have to wait. */
const longWaitMs = 100
/** The same, doubled each time, while some readers are handling what they have and will be back soon. */
const shortWaitMs = 5
/** Fetches of one broker that fail one after the other before its readers are told. */
const patience = 4
const readCommitted = 1
const offsetOutOfRange = 1
const fetchSessionErrors = new Set([70, 71, 106])

/** One broker as this process fetches from it: one request at a time, for all its partitions. */
interface BrokerState {
  busy: boolean
  failures: number
  /** Answers without anything since a reader last took something. */
  quiet: number
}

/** Stands for the broker of partitions whose leader is not known. */
const nobody = -1

/**
 * Fetches for all reads of this process. The client keeps one fetch session a broker, so there is one request a broker
 * at a time, which names all partitions that something is wanted of; several reads of one partition share its answer.
 */
export class Fetcher {
  readonly #needs: FetcherNeeds
  readonly #readings = new Set<Reading>()
  readonly #brokers = new Map<number, BrokerState>()
  readonly #stopping = new AbortController()
  readonly #running = new Set<Promise<void>>()
  #turn = 0

  constructor(needs: FetcherNeeds) {
    this.#needs = needs
  }

  add(reading: Reading): void {
    this.#readings.add(reading)
  }

  remove(reading: Reading): void {
    this.#readings.delete(reading)
  }

  /** Fetches what is wanted, where nothing is under way. */
  wake(): void {
    if (this.#stopping.signal.aborted) return
    const wanting = [...this.#readings].filter(({ wants }) => wants)
    for (const [node, readings] of Map.groupBy(wanting, (reading) => this.#leaderOf(reading))) {
      const broker = this.#broker(node)
      if (broker.busy) continue
      broker.busy = true
      const run = (node === nobody ? this.#locate(readings) : this.#fetch(node, readings))
        .then(
          () => {
            broker.failures = 0
          },
          (error: unknown) => this.#recover(node, broker, readings, error),
        )
        .finally(() => {
          broker.busy = false
          this.#running.delete(run)
          this.wake()
        })
      this.#running.add(run)
    }
  }

  /** A reader took a batch: it will be back soon. */
  took(reading: Reading): void {
    this.#broker(this.#leaderOf(reading)).quiet = 0
    if (reading.wants) this.wake()
  }

  /** Ends fetching; the client's connections must be cut first. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all(this.#running)
  }

  #broker(node: number): BrokerState {
    const broker = this.#brokers.get(node) ?? { busy: false, failures: 0, quiet: 0 }
    this.#brokers.set(node, broker)
    return broker
  }

  #leaderOf({ topic, partition, incarnation }: Reading): number {
    const known = this.#needs.topics.known(topic)
    return known?.id === incarnation ? (known.leaders[partition] ?? nobody) : nobody
  }

  /** Asks where the topics of these reads are, and whether they are still the same. */
  async #locate(readings: readonly Reading[]): Promise<void> {
    for (const reading of readings) {
      const { id, leaders } = await this.#needs.topics.get(reading.topic)
      if (reading.incarnation !== id) reading.moveTo(id, 0)
      const leader = leaders[reading.partition]
      if (leader !== undefined && leader >= 0) continue
      this.#needs.topics.forget(reading.topic)
      throw unavailable('reading', new Error(`${reading.topic}/${reading.partition} has no leader`))
    }
  }

  async #fetch(node: number, readings: readonly Reading[]): Promise<void> {
    const broker = this.#broker(node)
    const wanted = firstOfEach(readings)
    this.#turn += 1
    for (const reading of wanted) reading.turn = this.#turn
    const response = await this.#needs.consumer.fetch({
      node,
      maxWaitTime: this.#waitMs(node, broker, wanted),
      minBytes: 1,
      maxBytes: answerBytes,
      isolationLevel: readCommitted,
      topics: requestOf(wanted),
    })
    const gave = this.#deliver(response, wanted)
    broker.quiet = gave ? 0 : broker.quiet + 1
  }

  /** Not long where somebody else waits for this request to end: who is behind, or is handling what was fetched. */
  #waitMs(node: number, { quiet }: BrokerState, wanted: readonly Reading[]): number {
    const next = new Map(wanted.map((reading) => [placeOf(reading.incarnation, reading.partition), reading.next]))
    const elsewhere = (reading: Reading) => next.get(placeOf(reading.incarnation, reading.partition)) !== reading.next
    const others = [...this.#readings].some(
      (reading) => this.#leaderOf(reading) === node && (!reading.wants || elsewhere(reading)),
    )
    return others ? Math.min(shortWaitMs * 2 ** Math.min(quiet, 10), longWaitMs) : longWaitMs
  }

  /** Hands an answer to every read that wants what is in it; tells whether there was anything. */
  #deliver(response: FetchResponse, wanted: readonly Reading[]): boolean {
    let gave = false
    const asked = new Map(wanted.map((reading) => [placeOf(reading.incarnation, reading.partition), reading.next]))
    for (const { topicId, partitions } of response.responses) {
      for (const { partitionIndex, records, lastStableOffset, abortedTransactions } of partitions) {
        const place = placeOf(topicId, partitionIndex)
        const from = asked.get(place)
        if (from === undefined) continue
        const batches = records ?? []
        const next = endOf(batches, from)
        const fetched = {
          records: recordsOf(batches, from, abortedTransactions ?? []),
          next,
          end: Number(lastStableOffset),
        }
        gave ||= next > from
        for (const reading of this.#readings) {
          if (!reading.wants || placeOf(reading.incarnation, reading.partition) !== place) continue
          if (reading.next >= from && reading.next < next) reading.offer(fetched)
        }
      }
    }
    return gave
  }

  /** After a fetch that failed: finds out what has changed, or tells the readers, who come again. */
  async #recover(node: number, broker: BrokerState, readings: readonly Reading[], error: unknown): Promise<void> {
    const response = responseOf(error)
    // What failed is the session with the broker, which the client begins anew.
    if (response !== undefined && fetchSessionErrors.has(response.errorCode) && broker.failures < patience) {
      broker.failures += 1
      return
    }
    broker.failures += 1
    if (broker.failures >= patience || saysTimeout(error)) {
      broker.failures = 0
      for (const reading of readings) reading.fail(unavailable(`reading ${reading.topic}`, error))
    }
    try {
      await this.#refresh(node, readings, response)
    } catch {
      // The next fetch fails, too, and counts.
    }
    await sleep(50 * 2 ** broker.failures, this.#stopping.signal)
  }

  async #refresh(node: number, readings: readonly Reading[], response: FetchResponse | undefined): Promise<void> {
    const outOfRange = readings.filter((reading) => errorOf(response, reading) === offsetOutOfRange)
    for (const reading of outOfRange) {
      const first = await firstOffset(this.#needs.admin, reading.topic, reading.partition)
      reading.moveTo(reading.incarnation, first)
    }
    const lost = readings.filter((reading) => !outOfRange.includes(reading))
    if (node === nobody || outOfRange.length > 0) return
    for (const { topic } of lost) this.#needs.topics.forget(topic)
    await this.#needs.consumer.metadata({ topics: [], forceUpdate: true, retries: 0 })
  }
}

/**
 * The read of each partition whose turn it is: one that is far behind and one that waits at the end are asked for in
 * turn, and others that stand between take part in what they find.
 */
function firstOfEach(readings: readonly Reading[]): Reading[] {
  const places = Map.groupBy(readings, ({ incarnation, partition }) => placeOf(incarnation, partition))
  return [...places.values()].map((of) => of.reduce((first, reading) => (isBefore(reading, first) ? reading : first)))
}

function isBefore(one: Reading, other: Reading): boolean {
  return one.turn === other.turn ? one.next < other.next : one.turn < other.turn
}

function placeOf(incarnation: string, partition: number): string {
  return `${incarnation}/${partition}`
}

function requestOf(readings: readonly Reading[]): FetchOptions<Buffer, Buffer, Buffer, Buffer>['topics'] {
  return [...Map.groupBy(readings, ({ incarnation }) => incarnation)].map(([topicId, of]) => ({
    topicId,
    partitions: of.map(({ partition, next }) => ({
      partition,
      fetchOffset: BigInt(next),
      partitionMaxBytes: partitionBytes,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
    })),
  }))
}

function errorOf(response: FetchResponse | undefined, { incarnation, partition }: Reading): number {
  const topic = response?.responses.find(({ topicId }) => topicId === incarnation)
  return topic?.partitions.find(({ partitionIndex }) => partitionIndex === partition)?.errorCode ?? 0
}

/** The first Kafka offset that a partition still holds. */
export async function firstOffset(admin: Admin, topic: string, partition: number): Promise<number> {
  return listedOffset(admin, topic, partition, -2n)
}

/** The Kafka offset that a partition's next record gets. */
export async function endOffset(admin: Admin, topic: string, partition: number): Promise<number> {
  return listedOffset(admin, topic, partition, -1n)
}

async function listedOffset(admin: Admin, topic: string, partition: number, timestamp: bigint): Promise<number> {
  const partitions = [{ partitionIndex: partition, timestamp }]
  const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions }] })
  const found = listed?.partitions.find(({ partitionIndex }) => partitionIndex === partition)
  if (found === undefined) throw new Error(`no offset of ${topic}/${partition} was told`)
  return Number(found.offset)
}
