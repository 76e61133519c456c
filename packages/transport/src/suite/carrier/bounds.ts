import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { PublishError } from '../../transport.ts'
import type { SuitePromise } from '../harness.ts'
import { assertIds, idsOf, keyIn, messageOfBytes, numbered } from '../messages.ts'
import type { CarrierProof } from '../proof.ts'

const partition = 3
const mebibyte = 1024 * 1024
/** Pause in ms in which a carrier that pushes would push. */
const quietMs = 100

/** Bytes that buffers hold after everything that nobody needs was collected. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().arrayBuffers
}

/** Publishes until the carrier refuses; returns what it took and the refusal. */
async function fill(proof: CarrierProof, bytes: number): Promise<{ taken: string[]; refusal: PublishError }> {
  const user = await proof.connect()
  const carried = partition % (await user.partitions(proof.topic))
  const taken: string[] = []
  const deadline = performance.now() + proof.deadlineMs
  for (let number = 1; ; number += 1) {
    const message = messageOfBytes(keyIn(partition), bytes, number)
    try {
      await user.publish(proof.topic, carried, [message])
      taken.push(message.id)
    } catch (error) {
      assert.ok(error instanceof PublishError, String(error))
      return { taken, refusal: error }
    }
    assert.ok(
      performance.now() < deadline,
      `not within ${proof.deadlineMs} ms: a refusal; ${number} messages were taken`,
    )
  }
}

async function provesFull(proof: CarrierProof, bytes: number): Promise<void> {
  const { taken, refusal } = await fill(proof, bytes)
  assert.deepEqual([refusal.outcome, refusal.code], ['refused', 'QUEUE_FULL'])
  const user = await proof.connect()
  const carried = partition % (await user.partitions(proof.topic))
  const reader = await (await proof.reader({ partition, group: 'g' }, user)).until(taken.length)
  assertIds(idsOf(reader.messages), taken, 'exactly what was confirmed is held')
  const { next } = reader
  if (next.kind === 'position') user.passed?.('g', proof.topic, carried, next.position)
  const more = messageOfBytes(keyIn(partition), bytes, taken.length + 1)
  await user.publish(proof.topic, carried, [more])
  await reader.until(taken.length + 1)
  assert.equal(reader.last?.id, more.id)
}

/** Promises about memory. */
export const boundPromises: readonly SuitePromise<CarrierProof>[] = [
  {
    name: 'a reader that stands still fills no memory: at most one batch is read ahead',
    async prove(proof) {
      const messages = Array.from({ length: 24 }, (_, at) => messageOfBytes(keyIn(partition), mebibyte / 2, at + 1))
      const user = await proof.connect()
      for (const message of messages) await proof.put([message], user)
      const before = heldBytes()
      const reader = await proof.reader({ partition, maxBytes: mebibyte }, user)
      await reader.step()
      await new Promise((resolve) => setTimeout(resolve, quietMs))
      const grown = heldBytes() - before
      // The batch at hand, the one ahead, and what came with it over the wire, in a buffer that doubles as it grows.
      assert.ok(grown <= 9 * mebibyte, `${grown} bytes in memory for a reader of ${mebibyte} bytes that stands still`)
      await reader.until(messages.length)
      assertIds(idsOf(reader.messages), idsOf(messages))
    },
  },
  {
    name: 'a full carrier refuses by number, holds exactly what it confirmed, and takes more once that was passed',
    needs: ['publish', 'bounded'],
    prove: (proof) => provesFull(proof, 100),
  },
  {
    name: 'a full carrier refuses by bytes, holds exactly what it confirmed, and takes more once that was passed',
    needs: ['publish', 'bounded'],
    prove: (proof) => provesFull(proof, 500_000),
  },
  {
    name: 'a publish that does not fit as a whole is refused as a whole',
    needs: ['publish', 'bounded'],
    async prove(proof) {
      const { taken } = await fill(proof, 100)
      const user = await proof.connect()
      const carried = partition % (await user.partitions(proof.topic))
      const reader = await (await proof.reader({ partition, group: 'g' }, user)).until(taken.length)
      const { next } = reader
      assert.ok(next.kind === 'position')
      const position = { ...next.position, number: next.position.number - taken.length + 2 }
      user.passed?.('g', proof.topic, carried, position)
      const tooMany = numbered(keyIn(partition), 3, taken.length + 1)
      await assert.rejects(user.publish(proof.topic, carried, tooMany), PublishError)
      const fitting = tooMany.slice(0, 2)
      await user.publish(proof.topic, carried, fitting)
      await reader.until(taken.length + 2)
      assertIds(idsOf(reader.messages.slice(-2)), idsOf(fitting))
    },
  },
]
