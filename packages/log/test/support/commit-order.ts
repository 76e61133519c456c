import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Collector, sqlState } from '@headrace/database'
import { sleep } from '@headrace/runtime'
import { type CarriedMessage, partitionOf } from '@headrace/transport'
import type { Log, LogTransaction, NewMessage } from '../../src/index.ts'
import { type LogProcess, logDatabase, startProcess } from './process.ts'
import { randomFrom } from './seed.ts'

const topics = ['audit', 'orders', 'payments']
/** Few, so that writers meet. */
const partitions = 3
const keys = Array.from({ length: 200 }, (_, n) => `k${n}`).filter((key) => partitionOf(key) < partitions)
const writersPerProcess = 8

export interface ProofOptions {
  /** Transactions of each of the 32 writers. */
  readonly transactions: number
  /** Makes the database a mutant's. */
  readonly prepare?: (process: LogProcess) => Promise<void>
  /** How a writer appends; default: as the log does. */
  readonly append?: (tx: LogTransaction, message: NewMessage) => Promise<void> | void
}

export interface ProofResult {
  readonly committed: number
  readonly rolledBack: number
  /** What readers saw that must not be, and writers were told that must not be; none in a log that keeps its promise. */
  readonly violations: readonly string[]
}

/**
 * Proof 1 of design.md: 32 writers in four processes, with rollbacks of all kinds, several topics and partitions in a
 * transaction, under row locks of their own. Meanwhile readers in the writing process (which may read its tail) and in
 * another one (which reads the database) must see a gapless prefix in commit order: offsets without a hole, `at` that
 * never goes back, and for each key the numbers that its row lock gave out, in their order.
 */
export async function proveCommitOrder(options: ProofOptions): Promise<ProofResult> {
  await using test = await logDatabase()
  await using stack = new AsyncDisposableStack()
  const open = async () => stack.use(await startProcess(test.url, { maxConnections: 10 }))
  const processes = await Promise.all(Array.from({ length: 5 }, open))
  const [first, , , , onlyReading] = processes as [LogProcess, LogProcess, LogProcess, LogProcess, LogProcess]
  await prepare(first)
  await options.prepare?.(first)
  const run = new Run(options)
  const writing = processes
    .slice(0, 4)
    .flatMap((process, p) =>
      Array.from({ length: writersPerProcess }, (_, w) => run.write(process.log, p * writersPerProcess + w)),
    )
  const readers = [first, processes[1] ?? first, onlyReading].flatMap(({ log }) =>
    topics.map((topic) => run.read(log, topic)),
  )
  await Promise.all(writing)
  run.written = true
  const read = await Promise.all(readers)
  if (run.violations.length === 0) run.checkConservation(read)
  return { committed: run.committed.size, rolledBack: run.rolledBack, violations: run.violations }
}

async function prepare({ log, database }: LogProcess): Promise<void> {
  // Deadlocks, which must not be, are then found soon.
  await database.query({
    text: `do $$ begin execute format('alter database %I set deadlock_timeout = ''100ms''', current_database()); end $$`,
  })
  for (const topic of topics) await log.declareTopic(topic)
  await database.query({
    text: `create table counter as select topic || '/' || key as id, 0 as n
           from unnest($1::text[]) topic cross join unnest($2::text[]) key`,
    values: [topics, keys],
  })
  await database.query({ text: 'alter table counter add primary key (id)' })
}

class Run {
  readonly violations: string[] = []
  readonly committed = new Set<string>()
  rolledBack = 0
  written = false
  readonly #options: ProofOptions

  constructor(options: ProofOptions) {
    this.#options = options
  }

  async write(log: Log, writer: number): Promise<void> {
    const random = randomFrom(writer)
    for (let n = 0; n < this.#options.transactions && this.violations.length === 0; n += 1) {
      await this.#transaction(log, `${writer}-${n}`, random)
    }
  }

  async #transaction(log: Log, name: string, random: () => number): Promise<void> {
    const counters = [
      ...new Set(Array.from({ length: 1 + Math.floor(random() * 5) }, () => randomCounter(random))),
    ].sort()
    const end = random()
    const ids: string[] = []
    try {
      await log.inTransaction(async (tx) => {
        for (const counter of counters) {
          const id = `${name}-${ids.length}`
          await this.#appendNext(tx, counter, id)
          ids.push(id)
        }
        if (random() < 0.2) await sleep(random() * 4)
        if (random() < 0.2) tx.collect(slowLiveHeads, random() * 4)
        if (end < 0.1) throw new Aborted()
        if (end < 0.2) await tx.query({ text: 'select 1/0' })
        if (end < 0.25) void tx.query({ text: 'select 1/0' })
        if (end < 0.3) await tx.query({ text: 'select 1/0' }).catch(() => undefined)
      })
      for (const id of ids) this.committed.add(id)
    } catch (error) {
      this.rolledBack += 1
      if (!(error instanceof Aborted) && sqlState(error) !== '22012')
        this.violations.push(`a writer was told: ${error}`)
    }
  }

  /** The row lock of the counter orders the transactions of a key; the log must have them in that order. */
  async #appendNext(tx: LogTransaction, counter: string, id: string): Promise<void> {
    const { rows } = await tx.query<{ n: number }>({
      name: 'counter.next',
      text: 'update counter set n = n + 1 where id = $1 returning n',
      values: [counter],
    })
    const [topic = '', key = ''] = counter.split('/')
    const headers = { n: String(rows[0]?.n) }
    const append = this.#options.append ?? ((running, message) => running.append(message))
    await append(tx, { topic, key, id, type: 'counted', headers, body: Buffer.from(id) })
  }

  /** Reads a topic to its end, again and again, until everything is written; returns the ids that it saw. */
  async read(log: Log, topic: string): Promise<string[]> {
    const lanes = Array.from({ length: partitions }, (_, partition) => new Lane(topic, partition, this.violations))
    let last = false
    while (this.violations.length === 0) {
      // Asked before reading: what is read after the writers ended is the rest.
      last = this.written
      for (const lane of lanes) await lane.advance(log)
      if (last) break
      await nextTurn()
    }
    return lanes.flatMap((lane) => lane.ids)
  }

  /** Every committed message was read by each group of readers, once, and no other. */
  checkConservation(read: readonly string[][]): void {
    for (let reader = 0; reader < read.length; reader += topics.length) {
      const ids = read.slice(reader, reader + topics.length).flat()
      const seen = new Set(ids)
      if (seen.size !== ids.length) this.violations.push(`${ids.length - seen.size} messages twice`)
      if (seen.size !== this.committed.size)
        this.violations.push(`${seen.size} of ${this.committed.size} messages read`)
      for (const id of seen) if (!this.committed.has(id)) this.violations.push(`${id} was never committed`)
    }
  }
}

class Aborted extends Error {}

function randomCounter(random: () => number): string {
  return `${topics[Math.floor(random() * topics.length)]}/${keys[Math.floor(random() * keys.length)]}`
}

/** What else goes with COMMIT, behind the log's heads: they are held for a while. */
const slowLiveHeads: Collector<number> = {
  name: 'live',
  rank: 20,
  statement: ([ms]) => ({ text: 'select pg_sleep($1)', values: [(ms ?? 0) / 1000] }),
}

/** One reader's place in a partition. */
class Lane {
  readonly ids: string[] = []
  readonly #topic: string
  readonly #partition: number
  readonly #violations: string[]
  readonly #numbers = new Map<string, number>()
  #next = 1
  #at = 0

  constructor(topic: string, partition: number, violations: string[]) {
    this.#topic = topic
    this.#partition = partition
    this.#violations = violations
  }

  async advance(log: Log): Promise<void> {
    for (;;) {
      const range = { topic: this.#topic, partition: this.#partition, from: this.#next, sinceMs: this.#at }
      const records = await log.read({ ...range, maxMessages: 7, maxBytes: 2_000 })
      for (const record of records) this.#check(record)
      if (records.length === 0 || this.#violations.length > 0) return
    }
  }

  #check({ position, at, key, id, headers }: CarriedMessage): void {
    const place = `${this.#topic}/${this.#partition} at ${position}`
    if (position !== this.#next) this.#violations.push(`${place}: a hole, ${this.#next} was expected`)
    if (at < this.#at) this.#violations.push(`${place}: time goes back by ${this.#at - at} ms`)
    const number = Number(headers['n'])
    const expected = (this.#numbers.get(key) ?? 0) + 1
    if (number !== expected) this.#violations.push(`${place}: number ${number} of key ${key}, not ${expected}`)
    this.#numbers.set(key, number)
    this.#next = position + 1
    this.#at = at
    this.ids.push(id)
  }
}
