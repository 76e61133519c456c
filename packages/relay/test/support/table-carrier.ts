import type { Database } from '@headrace/database'
import { Bell, PlatformError, sleep } from '@headrace/runtime'
import {
  type Batch,
  type CarriedMessage,
  type Held,
  logPartitions,
  type OutgoingMessage,
  PublishError,
  type ReadFrom,
  type ReadOptions,
  type Transport,
} from '@headrace/transport'

/** How a publish goes, in the hands of a test. */
export type Mood = 'well' | 'refuses' | 'loses-answer' | 'takes-half' | 'hangs'

interface CarriedRow {
  readonly seq: number
  readonly message: Omit<OutgoingMessage, 'body'> & { readonly body: string }
}

interface Reading {
  readonly topic: string
  readonly partition: number
  readonly from: ReadFrom
}

/** Reads of this process, which are told of what it publishes; what others publish they see by looking, in ms. */
const readers = new Set<{ readonly place: string; readonly bell: Bell }>()
const pollMs = 200

function placeOf(carrier: string, topic: string, partition: number): string {
  return `${carrier}/${topic}/${partition}`
}

/** Makes the table that stands for a broker which all processes of a test reach. */
export async function declareTableCarrier(database: Database): Promise<void> {
  await database.query({
    text: `create table if not exists carried (
             seq bigint generated always as identity primary key, carrier text not null, incarnation int not null,
             topic text not null, partition int not null, message jsonb not null)`,
  })
}

/** A durable carrier that survives the process, and can be told to fail. Positions have holes between partitions. */
export class TableCarrier implements Transport {
  readonly name: string
  readonly durability = 'disk'
  readonly isLog = false
  /** Called before each publish with its messages; says how it goes. */
  mood: (messages: readonly OutgoingMessage[]) => Mood = () => 'well'
  incarnation = 1
  /** Publishes that ran at the same time for one partition: the caller's fault. */
  overlaps = 0
  publishes = 0
  /** Time in ms that each message takes, one after the other over all partitions: a disk that syncs. */
  msPerMessage = 0
  /** As the topic has them now; another number comes with another incarnation. */
  count: number
  #disk: Promise<void> = Promise.resolve()
  readonly #database: Database
  readonly #busy = new Set<number>()
  readonly #stopping = new AbortController()

  constructor(database: Database, name = 'table', partitions = logPartitions) {
    this.#database = database
    this.name = name
    this.count = partitions
  }

  async partitions(): Promise<number> {
    return this.count
  }

  async held(topic: string, partition: number): Promise<Held> {
    const { rows } = await this.#database.query<{ first: number | null; last: number | null }>({
      text: `select min(seq) as first, max(seq) as last from carried
             where carrier = $1 and incarnation = $2 and topic = $3 and partition = $4`,
      values: [this.name, this.incarnation, topic, partition],
    })
    const { first, last } = rows[0] ?? {}
    return { incarnation: String(this.incarnation), first: first ?? 1, end: (last ?? 0) + 1 }
  }

  async publish(topic: string, partition: number, messages: readonly OutgoingMessage[]): Promise<void> {
    if (this.#busy.has(partition)) this.overlaps += 1
    this.#busy.add(partition)
    this.publishes += 1
    try {
      await this.#publish(topic, partition, messages)
    } finally {
      this.#busy.delete(partition)
    }
  }

  async #publish(topic: string, partition: number, messages: readonly OutgoingMessage[]): Promise<void> {
    if (partition >= this.count) throw new PublishError('refused', this.#without(topic, partition))
    const mood = this.mood(messages)
    if (mood === 'refuses') throw new PublishError('refused', `${this.name} is away`)
    if (this.msPerMessage > 0) {
      this.#disk = this.#disk.then(() => sleep(messages.length * this.msPerMessage, this.#stopping.signal))
      await this.#disk
    }
    const taken = mood === 'takes-half' ? messages.slice(0, Math.ceil(messages.length / 2)) : messages
    await this.#database.query({
      text: `insert into carried (carrier, incarnation, topic, partition, message)
             select $1, $2, $3, $4, m from unnest($5::jsonb[]) with ordinality as t(m, n) order by n`,
      values: [this.name, this.incarnation, topic, partition, taken.map((message) => JSON.stringify(toJson(message)))],
    })
    for (const { place, bell } of readers) if (place === placeOf(this.name, topic, partition)) bell.ring()
    if (mood === 'hangs') await sleep(2 ** 31 - 1, this.#stopping.signal)
    if (mood !== 'well') throw new PublishError('unknown', `${this.name} did not answer`)
  }

  /** Ids and offsets of what a partition holds, in its order. */
  async contents(
    topic: string,
  ): Promise<{ id: string; key: string; partition: number; offset: number; base: number }[]> {
    const { rows } = await this.#database.query<{ message: CarriedRow['message'] }>({
      text: 'select message from carried where carrier = $1 and incarnation = $2 and topic = $3 order by seq',
      values: [this.name, this.incarnation, topic],
    })
    return rows.map(({ message: { id, key, origin } }) => ({
      id,
      key,
      partition: origin?.partition ?? -1,
      offset: origin?.offset ?? -1,
      base: origin?.base ?? -1,
    }))
  }

  /** Forgets what it holds from the n-th message of each partition on, as if a restart had lost the end. */
  async lose(topic: string): Promise<void> {
    await this.#database.query({
      text: 'delete from carried where carrier = $1 and topic = $2',
      values: [this.name, topic],
    })
  }

  async *read(topic: string, partition: number, from: ReadFrom, options: ReadOptions): AsyncGenerator<Batch> {
    const reader = { place: placeOf(this.name, topic, partition), bell: new Bell() }
    readers.add(reader)
    try {
      yield* this.#read({ topic, partition, from }, options.signal, reader.bell)
    } finally {
      readers.delete(reader)
    }
  }

  async *#read({ topic, partition, from }: Reading, signal: AbortSignal, bell: Bell): AsyncGenerator<Batch> {
    const ending = AbortSignal.any([signal, this.#stopping.signal])
    let at = from.kind === 'position' ? from.position : { incarnation: '', number: 1 }
    while (!ending.aborted) {
      if (partition >= this.count) throw new PlatformError('QUEUE_UNAVAILABLE', this.#without(topic, partition))
      const incarnation = String(this.incarnation)
      const next = at.incarnation === incarnation ? at.number : 1
      const { rows } = await this.#database.query<CarriedRow>({
        text: `select seq, message from carried where carrier = $1 and incarnation = $2 and topic = $3
                 and partition = $4 and seq >= $5 order by seq limit 256`,
        values: [this.name, this.incarnation, topic, partition, next],
      })
      const last = rows.at(-1)
      if (last === undefined) {
        await bell.wait(pollMs, ending)
        continue
      }
      at = { incarnation, number: last.seq + 1 }
      yield { incarnation, messages: rows.map(toCarried), atEnd: rows.length < 256 }
    }
  }

  #without(topic: string, partition: number): string {
    return `${topic} has ${this.count} partitions, none ${partition}`
  }

  async probe(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopping.abort()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

function toJson(message: OutgoingMessage) {
  return { ...message, body: Buffer.from(message.body).toString('base64') }
}

function toCarried({ seq, message }: CarriedRow): CarriedMessage {
  return { ...message, at: message.at ?? 0, position: seq, body: Buffer.from(message.body, 'base64') }
}
