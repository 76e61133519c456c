import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { crc32 } from 'node:zlib'
import { type CarriedMessage, type LogRange, messageBytes } from '@headrace/transport'
import fc from 'fast-check'
import type { NewMessage } from '../src/index.ts'
import { Tail } from '../src/tail.ts'
import { seed } from './support/seed.ts'

const bodies = new Map<number, Buffer>()

function bodyOf(bytes: number): Buffer {
  const body = bodies.get(bytes) ?? Buffer.alloc(bytes, 7)
  bodies.set(bytes, body)
  return body
}

const logId = '6a1f4f0e-0000-4000-8000-000000000000'

interface Committed {
  readonly offset: number
  readonly message: NewMessage
}

/** A database's log of one topic, by what design.md promises of it, with commits of this process still to be told. */
class Model {
  readonly partitions: Committed[][] = [[], []]
  readonly untold: { partition: number; committed: Committed }[] = []

  commit(partition: number, bytes: number, local: boolean): void {
    const held = this.#of(partition)
    const offset = held.length + 1
    const id = `${partition}/${offset}`
    const message = { topic: 't', id, key: 'k', type: 'x', headers: { n: id }, body: bodyOf(bytes) }
    held.push({ offset, message })
    if (local) this.untold.push({ partition, committed: { offset, message } })
  }

  range({ partition, from, maxMessages, maxBytes }: LogRange): CarriedMessage[] {
    const found = this.#of(partition).filter(({ offset }) => offset >= from && offset < from + maxMessages)
    let bytes = 0
    const fits = found.findIndex(({ message }, index) => {
      bytes += messageBytes(message)
      return index > 0 && bytes > maxBytes
    })
    const records = fits < 0 ? found : found.slice(0, fits)
    return records.map(({ offset, message }) => carried(partition, offset, message))
  }

  head(partition: number): number {
    return this.#of(partition).length + 1
  }

  #of(partition: number): Committed[] {
    return this.partitions[partition] ?? []
  }
}

/** Short enough to be shown. */
function brief({ body, headers, ...rest }: CarriedMessage) {
  return { ...rest, headers: { ...headers }, body: `${body.length} bytes, CRC ${crc32(body)}` }
}

function carried(partition: number, offset: number, message: NewMessage): CarriedMessage {
  const { id, key, type, headers, body } = message
  const origin = { log: logId, partition, offset }
  return { id, key, type, headers, body, position: offset, at: offset * 10, origin }
}

type Step =
  | { readonly kind: 'commit'; readonly partition: number; readonly sizes: readonly number[]; readonly local: boolean }
  | { readonly kind: 'tell'; readonly which: number }
  | { readonly kind: 'lose'; readonly which: number }
  | {
      readonly kind: 'read'
      readonly partition: number
      readonly back: number
      readonly max: number
      readonly bytes: number
    }
  | { readonly kind: 'clear' }

const size = fc.oneof(
  { weight: 99, arbitrary: fc.nat(100) },
  { weight: 1, arbitrary: fc.constantFrom(300_000, 1_100_000) },
)
const partition = fc.nat(1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('commit' as const),
      partition,
      sizes: fc.array(size, { minLength: 1, maxLength: 5 }),
      local: fc.nat(3).map((n) => n > 0),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('tell' as const),
      which: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat()),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), which: fc.nat() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      partition,
      back: fc.nat(25),
      max: fc.integer({ min: 1, max: 30 }),
      bytes: fc.constantFrom(1, 50, 500, 1_000_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
)

interface Readable {
  add: Tail['add']
  read: Tail['read']
  clear: Tail['clear']
}

/** Runs the steps on a tail and returns how many reads it answered; throws when one is not the database's. */
function follow(tail: Readable, steps: readonly Step[]): number {
  const model = new Model()
  let answered = 0
  const tell = (which: number, told: boolean) => {
    const [next] = model.untold.splice(which % Math.max(1, model.untold.length), 1)
    if (next === undefined || !told) return
    const { offset, message } = next.committed
    tail.add(message, { partition: next.partition, offset, atMs: offset * 10 })
  }
  for (const each of steps) {
    if (each.kind === 'commit') for (const bytes of each.sizes) model.commit(each.partition, bytes, each.local)
    else if (each.kind === 'tell' || each.kind === 'lose') tell(each.which, each.kind === 'tell')
    else if (each.kind === 'clear') tail.clear()
    else answered += compare(tail, model, each)
  }
  return answered
}

function compare(tail: Readable, model: Model, { partition, back, max, bytes }: Step & { kind: 'read' }): number {
  const from = Math.max(1, model.head(partition) - back)
  const range = { topic: 't', partition, from, sinceMs: 0, maxMessages: max, maxBytes: bytes }
  const read = tail.read(range)
  if (read === undefined) return 0
  // What other processes appended behind it may be missing; the next read asks the database for that.
  assert(read.length > 0)
  assert.deepEqual(read.map(brief), model.range(range).slice(0, read.length).map(brief))
  return 1
}

const runs = { seed, numRuns: 300 }
const walks = fc.array(step, { minLength: 20, maxLength: 80 })

describe('the tail', () => {
  it('reads what the database holds, or nothing, whoever appends and in whatever order commits are told', () => {
    let answered = 0
    const walk = (steps: readonly Step[]) => {
      answered += follow(new Tail(logId), steps)
    }
    fc.assert(fc.property(walks, walk), runs)
    assert(answered > 100, `only ${answered} reads were answered`)
  })

  it('answers while this process alone appends', () => {
    const tail = new Tail(logId)
    heldBy(tail, 1)
    for (let offset = 1; offset <= 10; offset += 1) add(tail, offset)
    const read = tail.read({ topic: 't', partition: 0, from: 4, sinceMs: 0, maxMessages: 3, maxBytes: 1_000 })
    assert.deepEqual(
      read?.map(({ position }) => position),
      [4, 5, 6],
    )
  })

  it('forgets the older half of what it holds, in messages or bytes, and stays bounded', () => {
    const tail = new Tail(logId)
    heldBy(tail, 1)
    for (let offset = 1; offset <= 4_000; offset += 1) {
      add(tail, offset, offset > 3_990 ? 400_000 : 0)
      if (offset < 3_990 && offset % 101 !== 0) continue
      const held = heldBy(tail, offset)
      assert(held.length <= Tail.maxMessages)
      assert(held.reduce((sum, { body }) => sum + body.length, 0) <= Tail.maxBytes)
    }
  })

  it('keeps nothing of a topic that nobody here reads', () => {
    const tail = new Tail(logId)
    add(tail, 1)
    assert.deepEqual(heldBy(tail, 1), [])
    add(tail, 2)
    assert.deepEqual(
      heldBy(tail, 2).map(({ position }) => position),
      [2],
    )
  })

  it('forgets everything when told so', () => {
    const tail = new Tail(logId)
    heldBy(tail, 1)
    add(tail, 1)
    assert.equal(heldBy(tail, 1).length, 1)
    tail.clear()
    assert.deepEqual(heldBy(tail, 1), [])
  })
})

describe('the model kills a tail that', () => {
  const mutants: readonly { name: string; make: () => Readable }[] = [
    {
      name: 'keeps a segment across what others appended in between',
      make: () => mutant((tail, place) => ({ ...place, offset: tail.last + 1 })),
    },
    { name: 'starts anew for messages that are told late', make: () => new Forgetful() },
  ]
  for (const { name, make } of mutants) {
    it(name, () => {
      const found = fc.check(
        fc.property(walks, (steps) => void follow(make(), steps)),
        { ...runs, endOnFailure: true },
      )
      assert.equal(found.failed, true)
    })
  }
})

function add(tail: Readable, offset: number, bytes = 0): void {
  const message = { topic: 't', id: String(offset), key: 'k', type: 'x', headers: {}, body: Buffer.alloc(bytes) }
  tail.add(message, { partition: 0, offset, atMs: offset })
}

/** All that a tail holds up to its last message. */
function heldBy(tail: Tail, last: number): readonly CarriedMessage[] {
  for (let from = Math.max(1, last - Tail.maxMessages); from <= last; from += 1) {
    const read = tail.read({ topic: 't', partition: 0, from, sinceMs: 0, maxMessages: 10_000, maxBytes: 2 ** 40 })
    if (read !== undefined) return read
  }
  return []
}

/** A tail that is told changed places. */
function mutant(
  change: (
    state: { last: number },
    place: { partition: number; offset: number; atMs: number },
  ) => { partition: number; offset: number; atMs: number },
): Readable {
  const tail = new Tail(logId)
  const last = [0, 0]
  return {
    add: (message, place) => {
      const changed = change({ last: last[place.partition] ?? 0 }, place)
      last[place.partition] = changed.offset
      tail.add(message, changed)
    },
    read: (range) => tail.read(range),
    clear: () => tail.clear(),
  }
}

/** Appends to what it holds whatever it is told, whenever. */
class Forgetful implements Readable {
  readonly #records = new Map<number, CarriedMessage[]>()

  add(message: NewMessage, { partition, offset }: { partition: number; offset: number }): void {
    const records = this.#records.get(partition) ?? []
    this.#records.set(partition, [...records, carried(partition, offset, message)])
  }

  read({ partition, from, maxMessages }: LogRange): readonly CarriedMessage[] | undefined {
    const records = this.#records.get(partition) ?? []
    const start = records.findIndex(({ position }) => position === from)
    return start < 0 ? undefined : records.slice(start, start + maxMessages)
  }

  clear(): void {
    this.#records.clear()
  }
}
