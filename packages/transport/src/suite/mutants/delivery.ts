import { aborted, changed, changedMessages, changedPublish, changedRead, type Mutant } from './mutant.ts'

const inOrder = 'a partition delivers its messages once each, in the order in which they were published'
const manyPublishers = 'the messages of many publishers all arrive, in order for each of them'
const goesOn = 'a read that stops and goes on where it stood misses nothing and repeats nothing'

/** Carriers that lose, double, reorder or misdirect. */
export const deliveryMutants: readonly Mutant[] = [
  {
    name: 'drops one message',
    killedBy: [inOrder, 'a late reader starts at the beginning of what is held'],
    breaking: () => (user) => changedMessages(user, (message, number) => (number === 42 ? [] : message)),
  },
  {
    name: 'drops one message in a hundred',
    killedBy: [manyPublishers],
    breaking() {
      let count = 0
      return (user) =>
        changedPublish(user, (publish, partition, messages) =>
          publish(
            partition,
            messages.filter(() => {
              count += 1
              return count % 100 !== 0
            }),
          ),
        )
    },
  },
  {
    name: 'delivers a message twice at one position',
    killedBy: [inOrder],
    breaking: () => (user) =>
      changedMessages(user, (message, number) => (number === 42 ? [message, message] : message)),
  },
  {
    name: 'holds a message twice',
    killedBy: [inOrder, manyPublishers],
    breaking: () => (user) =>
      changedPublish(user, (publish, partition, messages) =>
        publish(
          partition,
          messages.flatMap((message) => (message.id.endsWith('#7') ? [message, message] : [message])),
        ),
      ),
  },
  {
    name: 'reorders two messages',
    killedBy: [inOrder, manyPublishers],
    breaking: () => (user) =>
      changedPublish(user, (publish, partition, messages) => {
        const [third, fourth] = messages.slice(2, 4)
        const swapped = third && fourth && [...messages.slice(0, 2), fourth, third, ...messages.slice(4)]
        return publish(partition, swapped ?? messages)
      }),
  },
  {
    name: 'delivers one partition’s messages in another',
    killedBy: ['each partition delivers its own messages and no others'],
    breaking: () => (user) =>
      changedPublish(user, async (publish, partition, messages) => {
        const strays = messages.filter(({ id }) => id.endsWith('#9'))
        const others = messages.filter((message) => !strays.includes(message))
        await publish(partition, others)
        await publish((partition + 1) % 16, strays)
      }),
  },
  {
    name: 'skips the first message after a resume',
    killedBy: [goesOn, 'a read begins at the position that it is given'],
    breaking: () => (user) =>
      changedRead(user, (read, place) => {
        if (place.from.kind === 'beginning') return read(place)
        const { incarnation, number } = place.from.position
        return read({ ...place, from: { kind: 'position', position: { incarnation, number: number + 1 } } })
      }),
  },
  {
    name: 'repeats the last message after a resume',
    killedBy: [goesOn, 'a read begins at the position that it is given'],
    breaking: () => (user) =>
      changedRead(user, (read, place) => {
        if (place.from.kind === 'beginning') return read(place)
        const { incarnation, number } = place.from.position
        return read({ ...place, from: { kind: 'position', position: { incarnation, number: number - 1 } } })
      }),
  },
  {
    name: 'frees what one group has passed while another has not',
    killedBy: ['every group reads everything, whatever another has passed'],
    breaking: () => (user) =>
      changedRead(user, (read, { options: { group: _, ...options }, ...place }) => read({ ...place, options })),
  },
  {
    name: 'starts a late reader at the end',
    killedBy: ['a late reader starts at the beginning of what is held'],
    breaking() {
      const read = new Map<string, number>()
      return (user) =>
        changedRead(user, async function* (readOn, place) {
          const name = `${place.topic}/${place.partition}`
          const end = read.get(name) ?? 0
          for await (const batch of readOn(place)) {
            const messages = batch.messages.filter(({ position }) => position > end)
            read.set(name, Math.max(end, batch.messages.at(-1)?.position ?? 0))
            if (messages.length > 0) yield { ...batch, messages }
          }
        })
    },
  },
  {
    name: 'lets a reader that stands still hold up the others',
    killedBy: ['a reader that stands still holds up no other partition'],
    breaking() {
      let turn: Promise<void> = Promise.resolve()
      return (user) =>
        changedRead(user, async function* (read, place) {
          for await (const batch of read(place)) {
            const before = turn
            const { promise, resolve } = Promise.withResolvers<void>()
            turn = promise
            await Promise.race([before, aborted(place.options.signal)])
            yield batch
            resolve()
          }
        })
    },
  },
  {
    name: 'confirms before it holds',
    killedBy: ['what was confirmed is there for a read that begins afterwards'],
    breaking: () => (user) =>
      changedPublish(user, async (publish, partition, messages) => {
        setImmediate(() => publish(partition, messages).catch(() => undefined))
      }),
  },
  {
    name: 'loses what it has not written when it is stopped',
    killedBy: [
      'what was confirmed is held although its publisher stops at once',
      'a user that stops under load holds all that it confirmed, and refuses the rest with an outcome',
    ],
    breaking: () => (user) => {
      let stopped = false
      const lazy = changedPublish(user, async (publish, partition, messages) => {
        if (stopped) return publish(partition, messages)
        setTimeout(() => !stopped && publish(partition, messages).catch(() => undefined), 3)
      })
      const stop = () => {
        stopped = true
        return user.stop()
      }
      return changed(lazy, { stop })
    },
  },
]
