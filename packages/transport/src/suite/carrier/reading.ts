import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { SuitePromise } from '../harness.ts'
import { assertIds, idsOf, keyIn, messageOfBytes, numbered } from '../messages.ts'
import type { CarrierProof } from '../proof.ts'
import { after, beginning } from '../reader.ts'

const partition = 3

/** Promises about where a read begins, what a batch holds and how a read waits. */
export const readingPromises: readonly SuitePromise<CarrierProof>[] = [
  {
    name: 'a read that stops and goes on where it stood misses nothing and repeats nothing',
    async prove(proof) {
      const { few, rounds } = proof.sizes
      const messages = numbered(keyIn(partition), few)
      await proof.put(messages)
      const ids: string[] = []
      let from: Parameters<CarrierProof['reader']>[0]['from'] = beginning
      for (let round = 1; round <= rounds; round += 1) {
        const user = await proof.connect()
        const reader = await proof.reader({ partition, from, maxMessages: 7 }, user)
        await reader.until(Math.ceil((few * round) / rounds) - ids.length)
        ids.push(...idsOf(reader.messages))
        from = reader.next
        await user.stop()
      }
      assertIds(ids, idsOf(messages).slice(0, ids.length))
      assert.ok(ids.length >= few, `${ids.length} of ${few} messages`)
    },
  },
  {
    name: 'a read begins at the position that it is given',
    async prove(proof) {
      const messages = numbered(keyIn(partition), 10)
      const user = await proof.connect()
      await proof.put(messages, user)
      const [batch] = (await (await proof.reader({ partition }, user)).until(10)).batches
      assert.ok(batch)
      for (const at of [0, 4, 9]) {
        const message = batch.messages[at]
        const reader = await proof.reader({ partition, from: after(batch, message, 0) }, user)
        await reader.until(10 - at)
        assertIds(idsOf(reader.messages), idsOf(messages.slice(at)))
      }
    },
  },
  {
    name: 'a position of another incarnation begins at the beginning',
    async prove(proof) {
      const messages = numbered(keyIn(partition), 10)
      const user = await proof.connect()
      await proof.put(messages, user)
      const position = { incarnation: randomUUID(), number: 8 }
      const reader = await proof.reader({ partition, from: { kind: 'position', position } }, user)
      await reader.until(10)
      assertIds(idsOf(reader.messages), idsOf(messages))
      assert.notEqual(reader.batches[0]?.incarnation, position.incarnation)
    },
  },
  {
    name: 'all reads of a topic tell the same incarnation and the same positions',
    async prove(proof) {
      await proof.put(numbered(keyIn(partition), 10))
      const first = await (await proof.reader({ partition, maxMessages: 3 })).until(10)
      const second = await (await proof.reader({ partition })).until(10)
      assert.deepEqual(new Set(first.batches.map(({ incarnation }) => incarnation)).size, 1)
      assert.equal(first.batches[0]?.incarnation, second.batches[0]?.incarnation)
      const positions = ({ messages }: typeof first) => messages.map(({ position }) => position)
      assert.deepEqual(positions(first), positions(second))
    },
  },
  {
    name: 'a read at the end waits, and wakes when something arrives',
    async prove(proof) {
      const user = await proof.connect()
      await proof.put(numbered(keyIn(partition), 3), user)
      const before = await (await proof.reader({ partition }, user)).until(3)
      const reader = await proof.reader({ partition, from: before.next }, user)
      await Promise.all([reader.until(2), proof.put(numbered(keyIn(partition), 2, 4), user)])
      assertIds(idsOf(reader.messages), idsOf(numbered(keyIn(partition), 2, 4)))
    },
  },
  {
    name: 'a read of what was never written to waits for the first message',
    async prove(proof) {
      const user = await proof.connect()
      const reader = await proof.reader({ partition }, user)
      await Promise.all([reader.until(1), proof.put(numbered(keyIn(partition), 1), user)])
    },
  },
  {
    name: 'a position further than the end delivers what comes from there on',
    async prove(proof) {
      const messages = numbered(keyIn(partition), 9)
      const user = await proof.connect()
      await proof.put(messages.slice(0, 3), user)
      const held = await (await proof.reader({ partition }, user)).until(3)
      const [batch] = held.batches
      assert.ok(batch)
      // It may begin at the beginning instead: a carrier that lost its tail does not know what it had.
      const reader = await proof.reader({ partition, from: after(batch, held.last, 4) }, user)
      await proof.put(messages.slice(3), user)
      while (reader.last?.id !== messages.at(-1)?.id) await reader.step(`message ${messages.at(-1)?.id}`)
      const wanted = idsOf(messages.slice(-reader.messages.length))
      assert.ok(wanted.length >= 3, `${wanted.length} of 3 messages`)
      assertIds(idsOf(reader.messages), wanted)
    },
  },
  {
    name: 'a position that is no longer held begins at the first that is',
    needs: ['trim'],
    async prove(proof) {
      const messages = numbered(keyIn(partition), 10)
      const user = await proof.connect()
      await proof.put(messages, user)
      const held = await (await proof.reader({ partition }, user)).until(10)
      const [batch] = held.batches
      assert.ok(batch)
      const carried = partition % (await user.partitions(proof.topic))
      await proof.carrier.trim?.(proof.topic, carried, held.messages[6]?.position ?? 0)
      for (const from of [after(batch, held.messages[2], 0), beginning]) {
        const reader = await proof.reader({ partition, from })
        await reader.until(4)
        assertIds(idsOf(reader.messages), idsOf(messages.slice(6)))
      }
    },
  },
  {
    name: 'a batch keeps to the number and bytes asked for, and says when there is no more',
    async prove(proof) {
      const messages = Array.from({ length: 40 }, (_, index) => messageOfBytes(keyIn(partition), 10_000, index + 1))
      const user = await proof.connect()
      await proof.put(messages, user)
      for (const limits of [{ maxMessages: 1 }, { maxMessages: 7 }, { maxBytes: 35_000 }, { maxBytes: 1 }]) {
        // The reader checks each batch.
        const reader = await proof.reader({ partition, ...limits }, user)
        await reader.until(40)
        assertIds(idsOf(reader.messages), idsOf(messages))
        const early = reader.batches.findIndex(({ atEnd }) => atEnd)
        assert.ok(
          early === -1 || early === reader.batches.length - 1,
          'the carrier said that it held no more too early',
        )
      }
      // A carrier may not know it behind a large batch; behind a small one it does.
      const all = await (await proof.reader({ partition }, user)).until(40)
      const [batch] = all.batches
      assert.ok(batch)
      await (await proof.reader({ partition, from: after(batch, all.last, 0) }, user)).untilEnd()
    },
  },
  {
    name: 'a carrier says what a partition holds, also while that is nothing',
    async prove(proof) {
      const user = await proof.connect()
      const carried = partition % (await user.partitions(proof.topic))
      const before = await user.held(proof.topic, carried)
      assert.equal(before.first, before.end)
      await proof.put(numbered(keyIn(partition), 10), user)
      const { messages, batches } = await (await proof.reader({ partition }, user)).until(10)
      const { incarnation, first, end } = await user.held(proof.topic, carried)
      assert.deepEqual([incarnation, first], [batches[0]?.incarnation, messages[0]?.position])
      assert.ok(end > (messages[9]?.position ?? 0), `the end is ${end}, the last message at ${messages[9]?.position}`)
      const reader = await proof.reader({
        partition,
        from: { kind: 'position', position: { incarnation, number: end } },
      })
      await proof.put(numbered(keyIn(partition), 1, 11), user)
      await reader.until(1)
      assertIds(idsOf(reader.messages), [`${keyIn(partition)}#11`])
    },
  },
  {
    name: 'a reader may leave its loop at any time',
    async prove(proof) {
      const user = await proof.connect()
      await proof.put(numbered(keyIn(partition), 10), user)
      const carried = partition % (await user.partitions(proof.topic))
      const { signal } = new AbortController()
      for (const maxMessages of [5, 256]) {
        const leave = async () => {
          for await (const _ of user.read(proof.topic, carried, beginning, { signal, maxMessages })) break
        }
        await proof.within('the end of a read whose reader left', leave())
      }
    },
  },
  {
    name: 'a read ends without an error when its signal aborts, also while it waits',
    async prove(proof) {
      const user = await proof.connect()
      await proof.put(numbered(keyIn(partition), 3), user)
      const reader = await (await proof.reader({ partition }, user)).until(3)
      const ended = reader.step('the end')
      reader.abort()
      assert.equal(await ended, undefined)
      const aborted = await proof.reader({ partition }, user)
      aborted.abort()
      for (let batch = await aborted.step(); batch !== undefined; ) batch = await aborted.step('the end')
    },
  },
]
