import assert from 'node:assert/strict'
import { PlatformError } from '@headrace/runtime'
import { PublishError, type Transport } from '../../transport.ts'
import type { SuitePromise } from '../harness.ts'
import { assertIds, idsOf, keyIn, numbered } from '../messages.ts'
import type { CarrierProof } from '../proof.ts'

const partition = 3

interface Load {
  readonly confirmed: string[]
  /** Resolves when the publisher has met its first refusal. */
  readonly ended: Promise<unknown>
}

/** Publishes one message after the other until the carrier takes no more. */
function publishing(user: Transport, topic: string, carried: number, key: string): Load {
  const confirmed: string[] = []
  const run = async (): Promise<unknown> => {
    for (let number = 1; ; number += 1) {
      try {
        await user.publish(topic, carried, numbered(key, 1, number))
        confirmed.push(`${key}#${number}`)
      } catch (error) {
        return error
      }
      if (number % 16 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { confirmed, ended: run() }
}

/** Promises about stopping. */
export const stoppingPromises: readonly SuitePromise<CarrierProof>[] = [
  {
    name: 'what was confirmed is held although its publisher stops at once',
    needs: ['outlive'],
    async prove(proof) {
      const { confirmed } = proof.sizes
      const messages = numbered(keyIn(partition), confirmed)
      const user = await proof.connect()
      const publisher = await proof.publisher(user)
      const puts: Promise<void>[] = []
      for (let at = 0; at < confirmed; at += 500) puts.push(publisher.put(messages.slice(at, at + 500)))
      await Promise.all(puts)
      await user.stop()
      const reader = await (await proof.reader({ partition })).until(confirmed)
      assertIds(idsOf(reader.messages), idsOf(messages))
    },
  },
  {
    name: 'a user that stops under load holds all that it confirmed, and refuses the rest with an outcome',
    needs: ['publish', 'outlive'],
    async prove(proof) {
      const user = await proof.connect()
      const partitions = await proof.partitions(4, user)
      const loads = partitions.map((each) => publishing(user, proof.topic, each, keyIn(each)))
      const reader = await proof.reader({ partition: 0 })
      await reader.until(50)
      await proof.within('the stop under load', user.stop())
      for (const [each, { confirmed, ended }] of loads.entries()) {
        const error = await proof.within('the end of a publisher whose carrier stopped', ended)
        assert.ok(error instanceof PublishError, `a publish failed with ${String(error)}`)
        const held = await (await proof.reader({ partition: each })).until(confirmed.length)
        assertIds(idsOf(held.messages).slice(0, confirmed.length), confirmed)
      }
    },
  },
  {
    name: 'a stop ends all reads of its user without an error, and those of no other',
    async prove(proof) {
      const user = await proof.connect()
      const other = await proof.connect()
      const readers = await Promise.all(
        (await proof.partitions(4, user)).map((each) => proof.reader({ partition: each }, user)),
      )
      const ends = readers.map((reader) => reader.step('the end of the read'))
      const bystander = await proof.reader({ partition }, other)
      await proof.within('the stop', user.stop())
      assert.deepEqual(
        await Promise.all(ends),
        ends.map(() => undefined),
      )
      await Promise.all([bystander.until(1), proof.put(numbered(keyIn(partition), 1), other)])
    },
  },
  {
    name: 'stopping many times at once is stopping once',
    async prove(proof) {
      const user = await proof.connect()
      await proof.put(numbered(keyIn(partition), 5), user)
      const reader = await (await proof.reader({ partition }, user)).until(5)
      await proof.within('ten stops at once', Promise.all(Array.from({ length: 10 }, () => user.stop())))
      assert.equal(await reader.step('the end of the read'), undefined)
      await proof.within('a stop after the stop', user.stop())
    },
  },
  {
    name: 'a user that has stopped refuses to publish',
    needs: ['publish'],
    async prove(proof) {
      const user = await proof.connect()
      await user.stop()
      const refused = await proof.within(
        'the refusal',
        user.publish(proof.topic, 0, numbered(keyIn(0), 1)).then(
          () => undefined,
          (error: unknown) => error,
        ),
      )
      assert.ok(refused instanceof PublishError, `a publish after the stop ended with ${String(refused)}`)
      assert.equal(refused.outcome, 'refused')
    },
  },
  {
    name: 'a probe tells whether the carrier serves',
    async prove(proof) {
      const user = await proof.connect()
      await proof.within('the probe', user.probe(AbortSignal.timeout(proof.deadlineMs)))
      if (user.isLog) return
      await user.stop()
      await assert.rejects(proof.within('the probe', user.probe(AbortSignal.timeout(proof.deadlineMs))), PlatformError)
    },
  },
]
