import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { PlatformError } from '@headrace/runtime'
import type { Transport } from '../../transport.ts'
import { changedRead } from '../mutants/mutant.ts'
import { interleaved, someKeys } from './groups.ts'
import type { OncePromise } from './promise.ts'

/** A carrier whose reads break off after every second batch. */
function unsteady(carrier: Transport): Transport {
  return changedRead(carrier, async function* (read, place) {
    let batches = 0
    for await (const batch of read({ ...place, options: { ...place.options, maxMessages: 10 } })) {
      yield batch
      batches += 1
      if (batches === 2) throw new PlatformError('QUEUE_UNAVAILABLE', 'the carrier broke off')
    }
  })
}

/** Promises about handlers that throw, members that die and carriers that break off. */
export const failurePromises: readonly OncePromise[] = [
  {
    name: 'the order of a key survives a handler that throws',
    async prove(proof) {
      const messages = interleaved(someKeys(20), 20)
      const tried = new Set<string>()
      const { promise: all, resolve: allPut } = Promise.withResolvers<void>()
      await (await proof.member()).consume('g', {
        async before(batch) {
          const failing = batch.find(({ id }) => id.endsWith('5') && !tried.has(id))
          if (failing === undefined) return
          // Not before its key has more messages behind it.
          await all
          if (batch.length === 1) tried.add(failing.id)
          throw new Error(`${failing.id} fails the first time`)
        },
      })
      await proof.put(messages.slice(0, 200))
      await proof.put(messages.slice(200))
      allPut()
      const effects = await proof.handledOnce('g', messages)
      assert.ok(
        effects.some(({ attempt }) => attempt > 1),
        'a message that failed is handled as attempt 2',
      )
    },
  },
  {
    name: 'the partitions of a killed member are taken over: each message once, in the order of its key',
    async prove(proof) {
      const messages = interleaved(someKeys(20), 20)
      const { promise: gate, resolve: open } = Promise.withResolvers<void>()
      const started = Promise.withResolvers<void>()
      const victim = await proof.member()
      let batches = 0
      await victim.consume('g', {
        maxMessages: 10,
        before() {
          batches += 1
          if (batches < 6) return
          started.resolve()
          return gate
        },
      })
      await proof.put(messages)
      await proof.within('the victim is in the middle of a batch', started.promise)
      await (await proof.member()).consume('g')
      await victim.kill()
      try {
        await proof.handledOnce('g', messages)
      } finally {
        open()
      }
      // The handlers of the dead have returned now, and have no more to say.
      await pause(100)
      await proof.handledOnce('g', messages)
    },
  },
  {
    name: 'a member that was cut off and does not know it handles nothing twice',
    async prove(proof) {
      const messages = interleaved(someKeys(20), 20)
      const zombie = await proof.member()
      let batches = 0
      const started = Promise.withResolvers<void>()
      await zombie.consume('g', {
        maxMessages: 10,
        async before() {
          batches += 1
          if (batches < 6) return
          started.resolve()
          await pause(300)
        },
      })
      await proof.put(messages)
      await proof.within('the member is in the middle of a batch', started.promise)
      await (await proof.member()).consume('g')
      await zombie.cutOff()
      await proof.handledOnce('g', messages)
    },
  },
  {
    name: 'members come and go under load: each message once, in the order of its key',
    async prove(proof) {
      const keys = someKeys(20)
      const first = await proof.member()
      const leaving = await first.consume('g')
      for (let round = 0; round < 4; round += 1) {
        await proof.put(interleaved(keys, 10, round * 10 + 1))
        if (round === 1) await (await proof.member()).consume('g')
        if (round === 2) await leaving.stop()
        if (round === 3) await first.consume('g')
      }
      await proof.handledOnce('g', interleaved(keys, 40))
    },
  },
  {
    name: 'a carrier that breaks off is read again: each message once, in the order of its key',
    async prove(proof) {
      const messages = interleaved(someKeys(20), 20)
      await (await proof.member(unsteady)).consume('g')
      await proof.put(messages)
      await proof.handledOnce('g', messages)
    },
  },
  {
    name: 'a consumer that stops and goes on, in rounds, misses nothing and repeats nothing',
    async prove(proof) {
      const keys = someKeys(20)
      const { rounds } = proof.sizes
      const each = 20
      const member = await proof.member()
      for (let round = 0; round < rounds; round += 1) {
        const before = await proof.count('g')
        const consumer = await member.consume('g', { maxMessages: 7, concurrency: 2, before: () => pause(1) })
        await proof.put(interleaved(keys, each, round * each + 1))
        await proof.handled('g', before + 50)
        await proof.within('the stop of a consumer', consumer.stop())
      }
      await member.consume('g')
      await proof.handledOnce('g', interleaved(keys, rounds * each))
    },
  },
  {
    name: 'a stop under load finishes the batches at hand, and nothing runs behind it',
    async prove(proof) {
      const messages = interleaved(someKeys(20), 20)
      let running = 0
      const member = await proof.member()
      const consumer = await member.consume('g', {
        maxMessages: 5,
        async before() {
          running += 1
          await pause(10)
          running -= 1
        },
      })
      await proof.put(messages)
      await proof.handled('g', 20)
      await proof.within('the stop', Promise.all([consumer.stop(), consumer.stop(), consumer.stop()]))
      assert.equal(running, 0, 'no handler runs after the stop')
      const settled = await proof.count('g')
      await pause(50)
      assert.equal(await proof.count('g'), settled, 'nothing is handled after the stop')
      assert.ok(settled < messages.length, 'the stop came in the middle')
      await (await proof.member()).consume('g')
      await proof.handledOnce('g', messages)
    },
  },
]
