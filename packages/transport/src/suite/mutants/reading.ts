import { randomUUID } from 'node:crypto'
import type { Batch } from '../../transport.ts'
import { aborted, changed, changedBatches, changedRead, type Mutant } from './mutant.ts'

const limits = 'a batch keeps to the number and bytes asked for, and says when there is no more'
const anew = [
  'a topic that was deleted and made again is read from its start, under another incarnation',
  'a read that is open while its topic is made again goes on with the new one, from its start',
]

/** Carriers that read from the wrong place, in the wrong amount, or at the wrong time. */
export const readingMutants: readonly Mutant[] = [
  {
    name: 'takes a number for a position, whatever its incarnation',
    killedBy: ['a position of another incarnation begins at the beginning', anew[0] ?? ''],
    breaking() {
      const first = new Map<string, string>()
      return (user) =>
        changedRead(user, async function* (read, place) {
          const start = place.from.kind === 'position' ? place.from.position.number : 1
          for await (const batch of read({ ...place, from: { kind: 'beginning' } })) {
            first.set(place.topic, batch.incarnation)
            const messages = batch.messages.filter(({ position }) => position >= start)
            if (messages.length > 0) yield { ...batch, messages }
          }
        })
    },
  },
  {
    name: 'forgets that a topic was made anew',
    killedBy: anew,
    breaking() {
      const first = new Map<string, string>()
      return (user) =>
        changedRead(user, async function* (read, place) {
          for await (const batch of read(place)) {
            const incarnation = first.get(place.topic) ?? batch.incarnation
            first.set(place.topic, incarnation)
            yield { ...batch, incarnation }
          }
        })
    },
  },
  {
    name: 'goes on in a topic made anew where it stood in the old one',
    killedBy: anew.slice(1),
    breaking: () => (user) =>
      changedRead(user, async function* (read, place) {
        let old: Batch | undefined
        for await (const batch of read(place)) {
          old ??= batch
          const end = old.messages.at(-1)?.position ?? 0
          const messages =
            batch.incarnation === old.incarnation
              ? batch.messages
              : batch.messages.filter(({ position }) => position > end)
          if (messages.length > 0) yield { ...batch, messages }
        }
      }),
  },
  {
    name: 'tells each read another incarnation',
    killedBy: ['all reads of a topic tell the same incarnation and the same positions'],
    breaking: () => (user) =>
      changedRead(user, async function* (read, place) {
        const incarnation = randomUUID()
        for await (const batch of read(place)) yield { ...batch, incarnation }
      }),
  },
  {
    name: 'counts positions anew in each read',
    killedBy: ['all reads of a topic tell the same incarnation and the same positions'],
    breaking() {
      let reads = 0
      return (user) =>
        changedRead(user, async function* (read, place) {
          reads += 1
          const shift = reads
          for await (const batch of read(place)) {
            yield { ...batch, messages: batch.messages.map((each) => ({ ...each, position: each.position + shift })) }
          }
        })
    },
  },
  {
    name: 'does not wake a read at the end',
    killedBy: [
      'a read at the end waits, and wakes when something arrives',
      'a read of what was never written to waits for the first message',
    ],
    breaking() {
      const held = new Map<string, number>()
      return (user) => {
        const counting = changed(user, {
          async publish(topic, partition, messages) {
            await user.publish(topic, partition, messages)
            const name = `${topic}/${partition}`
            held.set(name, (held.get(name) ?? 0) + messages.length)
          },
        })
        return changedRead(counting, async function* (read, place) {
          const end = held.get(`${place.topic}/${place.partition}`) ?? 0
          for await (const batch of read(place)) {
            const messages = batch.messages.filter(({ position }) => position <= end)
            if (messages.length > 0) yield { ...batch, messages }
          }
        })
      }
    },
  },
  {
    name: 'never delivers to a position further than the end',
    killedBy: ['a position further than the end delivers what comes from there on'],
    breaking: () => (user) =>
      changedRead(user, async function* (read, place) {
        let first = true
        for await (const batch of read(place)) {
          const wanted = place.from.kind === 'position' ? place.from.position.number : 1
          if (first && wanted > 3 && batch.messages[0]?.position === wanted) continue
          first = false
          yield batch
        }
      }),
  },
  {
    name: 'waits for a position that is no longer held',
    killedBy: ['a position that is no longer held begins at the first that is'],
    breaking: () => (user) =>
      changedRead(user, async function* (read, place) {
        for await (const batch of read(place)) {
          const wanted = place.from.kind === 'position' ? place.from.position.number : 0
          const { signal } = place.options
          if (wanted > 0 && (batch.messages[0]?.position ?? 0) > wanted) await aborted(signal)
          yield batch
        }
      }),
  },
  {
    name: 'gives more than was asked for',
    killedBy: [limits],
    breaking: () => (user) =>
      changedRead(user, (read, { options: { maxMessages: _, ...options }, ...place }) => read({ ...place, options })),
  },
  {
    name: 'gives more bytes than were asked for',
    killedBy: [limits],
    breaking: () => (user) =>
      changedRead(user, (read, { options: { maxBytes: _, ...options }, ...place }) => read({ ...place, options })),
  },
  {
    name: 'never says that there is no more',
    killedBy: [limits, 'what was confirmed is there for a read that begins afterwards'],
    breaking: () => (user) => changedBatches(user, (batch) => ({ ...batch, atEnd: false })),
  },
  {
    name: 'always says that there is no more',
    killedBy: [limits],
    breaking: () => (user) => changedBatches(user, (batch) => ({ ...batch, atEnd: true })),
  },
  {
    name: 'reads ahead without bound',
    killedBy: ['a reader that stands still fills no memory: at most one batch is read ahead'],
    breaking: () => (user) =>
      changedRead(user, async function* (read, place) {
        const ahead: Promise<IteratorResult<Batch>>[] = []
        const batches = read(place)[Symbol.asyncIterator]()
        for (let count = 0; count < 100; count += 1) ahead.push(batches.next())
        for (let next = await ahead.shift(); next !== undefined && next.done !== true; next = await ahead.shift()) {
          ahead.push(batches.next())
          yield next.value
        }
      }),
  },
  {
    name: 'says that it holds one less than it does',
    killedBy: ['a carrier says what a partition holds, also while that is nothing'],
    breaking: () => (user) =>
      changed(user, {
        async held(topic, partition) {
          const held = await user.held(topic, partition)
          return { ...held, end: Math.max(held.first, held.end - 1) }
        },
      }),
  },
  {
    name: 'cannot be left',
    killedBy: ['a reader may leave its loop at any time'],
    breaking: () => (user) =>
      changedRead(user, async function* (read, place) {
        try {
          yield* read(place)
        } finally {
          await aborted(place.options.signal)
        }
      }),
  },
  {
    name: 'ignores the signal of a read',
    killedBy: ['a read ends without an error when its signal aborts, also while it waits'],
    breaking: () => (user) =>
      changedRead(user, (read, place) =>
        read({ ...place, options: { ...place.options, signal: new AbortController().signal } }),
      ),
  },
  {
    name: 'ends a read that is aborted with an error',
    killedBy: ['a read ends without an error when its signal aborts, also while it waits'],
    breaking: () => (user) =>
      changedRead(user, async function* (read, place) {
        yield* read(place)
        place.options.signal.throwIfAborted()
      }),
  },
]
