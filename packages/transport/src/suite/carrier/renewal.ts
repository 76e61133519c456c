import assert from 'node:assert/strict'
import { backoffMs, sleep } from '@headrace/runtime'
import { PublishError } from '../../transport.ts'
import type { SuitePromise } from '../harness.ts'
import { assertIds, idsOf, keyIn, numbered } from '../messages.ts'
import type { CarrierProof } from '../proof.ts'
import type { Reader } from '../reader.ts'

const partition = 3

/** Reads on as a caller does, again after each failure, until a message is there. Returns every read that it took. */
async function follow(proof: CarrierProof, first: Reader, wantedId: string): Promise<Reader[]> {
  const readers = [first]
  const deadline = performance.now() + proof.deadlineMs
  for (let reader = first, attempt = 1; reader.last?.id !== wantedId; ) {
    if (performance.now() > deadline) throw new Error(`not within ${proof.deadlineMs} ms: message ${wantedId}`)
    const batch = await reader.step(`message ${wantedId}`).catch(() => undefined)
    if (batch !== undefined) continue
    await sleep(backoffMs(attempt, { baseMs: 50, maxMs: 500 }))
    attempt += 1
    reader = await proof.reader({
      partition,
      from: readers.findLast(({ last }) => last !== undefined)?.next ?? first.next,
    })
    readers.push(reader)
  }
  return readers
}

/** Promises about topics made anew and outcomes that nobody knows. */
export const renewalPromises: readonly SuitePromise<CarrierProof>[] = [
  {
    name: 'a topic that was deleted and made again is read from its start, under another incarnation',
    needs: ['recreate'],
    async prove(proof) {
      const user = await proof.connect()
      await proof.put(numbered(keyIn(partition), 5), user)
      const before = await (await proof.reader({ partition }, user)).until(5)
      const old = before.batches[0]?.incarnation
      await proof.carrier.recreate?.(proof.topic)
      const anew = numbered(keyIn(partition), 7, 101)
      await proof.put(anew)
      for (const from of [before.next, { kind: 'beginning' } as const]) {
        const reader = await proof.reader({ partition, from })
        await reader.until(7)
        assertIds(idsOf(reader.messages), idsOf(anew))
        assert.notEqual(reader.batches[0]?.incarnation, old)
      }
    },
  },
  {
    name: 'a read that is open while its topic is made again goes on with the new one, from its start',
    needs: ['recreate'],
    async prove(proof) {
      const user = await proof.connect()
      await proof.put(numbered(keyIn(partition), 5), user)
      const open = await (await proof.reader({ partition }, user)).until(5)
      await proof.carrier.recreate?.(proof.topic)
      const anew = numbered(keyIn(partition), 7, 101)
      await proof.put(anew)
      const readers = await follow(proof, open, anew.at(-1)?.id ?? '')
      assertIds(idsOf(readers.flatMap(({ messages }) => messages)).slice(5), idsOf(anew))
      const incarnations = readers.flatMap(({ batches }) => batches.map(({ incarnation }) => incarnation))
      assert.equal(new Set(incarnations).size, 2)
    },
  },
  {
    name: 'a publish that was cut off says so, and publishing again loses nothing and keeps the order',
    needs: ['publish', 'interrupt'],
    async prove(proof) {
      const user = await proof.connect()
      const carried = partition % (await user.partitions(proof.topic))
      const messages = numbered(keyIn(partition), 100)
      await user.publish(proof.topic, carried, messages.slice(0, 10))
      const cut = user.publish(proof.topic, carried, messages.slice(10)).then(
        () => undefined,
        (error: unknown) => error,
      )
      await proof.carrier.interrupt?.(user)
      const error = await proof.within('the end of the publish', cut)
      if (error !== undefined) assert.ok(error instanceof PublishError, `the publish failed with ${String(error)}`)
      const again = await proof.connect()
      if (error !== undefined) await again.publish(proof.topic, carried, messages.slice(10))
      const reader = await proof.reader({ partition }, again)
      while (reader.last?.id !== messages.at(-1)?.id) await reader.step('the last message')
      // Copies may come; without them the order is that of the publisher.
      assertIds([...new Set(idsOf(reader.messages))], idsOf(messages))
      if (error instanceof PublishError && error.outcome === 'refused') assert.equal(reader.messages.length, 100)
    },
  },
]
