import { partitionOf } from '../../message.ts'
import type { SuitePromise } from '../harness.ts'
import { assertIds, idsOf, keyIn, numbered } from '../messages.ts'
import type { CarrierProof } from '../proof.ts'

/** Promises about order, partitions and who gets what. */
export const orderPromises: readonly SuitePromise<CarrierProof>[] = [
  {
    name: 'a partition delivers its messages once each, in the order in which they were published',
    async prove(proof) {
      const messages = numbered(keyIn(3), proof.sizes.few)
      const publisher = await proof.publisher()
      const reader = await proof.reader({ partition: 3, maxMessages: 17 })
      for (let at = 0, size = 1; at < messages.length; at += size, size += 1) {
        await publisher.put(messages.slice(at, at + size))
      }
      await reader.until(messages.length)
      assertIds(idsOf(reader.messages), idsOf(messages))
    },
  },
  {
    name: 'what was confirmed is there for a read that begins afterwards',
    async prove(proof) {
      const publisher = await proof.publisher()
      const user = await proof.connect()
      for (let round = 0; round < proof.sizes.rounds; round += 1) {
        await publisher.put(numbered(keyIn(3), 3, round * 3 + 1))
        const reader = await proof.reader({ partition: 3 }, user)
        await reader.untilEnd()
        assertIds(idsOf(reader.messages), idsOf(numbered(keyIn(3), round * 3 + 3)))
        reader.abort()
      }
    },
  },
  {
    name: 'each partition delivers its own messages and no others',
    async prove(proof) {
      const user = await proof.connect()
      const partitions = await proof.partitions(16, user)
      const messages = partitions.flatMap((partition) => numbered(keyIn(partition), 20))
      await proof.put(messages.toSorted((a, b) => Number(a.id.split('#')[1]) - Number(b.id.split('#')[1])))
      const readers = await Promise.all(partitions.map((partition) => proof.reader({ partition }, user)))
      await Promise.all(readers.map((reader) => reader.until(20)))
      for (const [at, reader] of readers.entries()) {
        assertIds(idsOf(reader.messages), idsOf(messages.slice(at * 20, at * 20 + 20)))
      }
    },
  },
  {
    name: 'a reader that stands still holds up no other partition',
    async prove(proof) {
      const user = await proof.connect()
      const partitions = await proof.partitions(4, user)
      const messages = partitions.map((partition) => numbered(keyIn(partition), proof.sizes.few))
      await proof.put(messages.flat())
      const [slow, ...others] = await Promise.all(
        partitions.map((partition) => proof.reader({ partition, maxMessages: 5 }, user)),
      )
      await slow?.step()
      await Promise.all(others.map((reader) => reader.until(proof.sizes.few)))
      await slow?.until(proof.sizes.few)
      assertIds(idsOf(slow?.messages ?? []), idsOf(messages[0] ?? []))
    },
  },
  {
    name: 'every group reads everything, whatever another has passed',
    async prove(proof) {
      const messages = numbered(keyIn(3), proof.sizes.few)
      const user = await proof.connect()
      const partition = 3 % (await user.partitions(proof.topic))
      const first = await proof.reader({ partition: 3, group: 'first' }, user)
      const second = await proof.reader({ partition: 3, group: 'second', maxMessages: 10 }, user)
      await proof.put(messages, user)
      await first.until(messages.length)
      const next = first.next
      if (next.kind === 'position') user.passed?.('first', proof.topic, partition, next.position)
      await second.until(messages.length)
      assertIds(idsOf(first.messages), idsOf(messages))
      assertIds(idsOf(second.messages), idsOf(messages))
    },
  },
  {
    name: 'a late reader starts at the beginning of what is held',
    async prove(proof) {
      const messages = numbered(keyIn(3), proof.sizes.few)
      const user = await proof.connect()
      await proof.put(messages, user)
      await (await proof.reader({ partition: 3 }, user)).until(messages.length)
      const late = await proof.reader({ partition: 3 })
      await late.until(messages.length)
      assertIds(idsOf(late.messages), idsOf(messages))
    },
  },
  {
    name: 'the messages of many publishers all arrive, in order for each of them',
    async prove(proof) {
      const { many, publishers } = proof.sizes
      const each = Math.ceil(many / publishers)
      const user = await proof.connect()
      const publisher = await proof.publisher(user)
      const keys = Array.from({ length: publishers }, (_, number) => `publisher-${number}`)
      const count = Math.min(16, await user.partitions(proof.topic))
      const share = (partition: number) => keys.filter((key) => partitionOf(key) % count === partition)
      const reading = (await proof.partitions(16, user)).map(async (partition) => {
        const reader = await proof.reader({ partition }, user)
        await reader.until(share(partition).length * each)
        return reader.messages
      })
      await Promise.all(
        keys.map(async (key) => {
          const own = numbered(key, each)
          for (let at = 0; at < each; at += 10) await publisher.put(own.slice(at, at + 10))
        }),
      )
      const received = Map.groupBy((await Promise.all(reading)).flat(), ({ key }) => key)
      for (const key of keys) assertIds(idsOf(received.get(key) ?? []), idsOf(numbered(key, each)))
    },
  },
]
