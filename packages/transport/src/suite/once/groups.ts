import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { Delivery } from '@headrace/inbox'
import { logPartitions, type Message } from '../../message.ts'
import { contentOf, keyIn, messageOfBytes, numbered } from '../messages.ts'
import type { OncePromise } from './promise.ts'

/** Messages of many keys, the first of each key first. */
export function interleaved(keys: readonly string[], each: number, first = 1): Message[] {
  return Array.from({ length: each }, (_, at) => keys.flatMap((key) => numbered(key, 1, first + at))).flat()
}

export function someKeys(count: number): string[] {
  return Array.from({ length: count }, (_, number) => `key-${number}`)
}

/** Promises about groups and their members. */
export const groupPromises: readonly OncePromise[] = [
  {
    name: 'each message is handled once, in the order of its key',
    async prove(proof) {
      const messages = interleaved(someKeys(20), 25)
      await proof.put(messages.slice(0, 250))
      await (await proof.member()).consume('g')
      await proof.put(messages.slice(250))
      await proof.handledOnce('g', messages)
    },
  },
  {
    name: 'what was published reaches the handler unchanged, up to the size limit',
    async prove(proof) {
      const body = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
      const headers = { traceparent: '00-ab-cd-01', name: 'Grüße, 日本, 🜁', empty: '' }
      const messages = [
        { id: 'binary', key: keyIn(3), type: 'suite.ünïcode', headers, body },
        { id: 'empty', key: keyIn(3), type: 'suite.empty', headers: {}, body: new Uint8Array() },
        messageOfBytes(keyIn(3), proof.limitBytes),
        messageOfBytes(keyIn(3), proof.limitBytes, 2),
      ]
      const seen: Delivery[] = []
      await (await proof.member()).consume('g', { before: (batch) => void seen.push(...batch) })
      for (const message of messages) await proof.put([message])
      await proof.handledOnce('g', messages)
      assert.deepEqual(seen.map(contentOf), messages.map(contentOf))
    },
  },
  {
    name: 'every group handles everything once',
    async prove(proof) {
      const messages = interleaved(someKeys(10), 20)
      const member = await proof.member()
      const groups = ['a', 'b', 'c']
      const begun = new Set<string>()
      const { promise: all, resolve: allBegun } = Promise.withResolvers<void>()
      // A group that nobody has met yet is late: nothing is passed until all three read.
      const begin = (group: string) => {
        begun.add(group)
        if (begun.size === groups.length) allBegun()
        return proof.within(`all groups read, not only ${[...begun].join()}`, all)
      }
      await Promise.all(groups.map((group) => member.consume(group, { concurrency: 1, before: () => begin(group) })))
      await proof.put(messages)
      for (const group of groups) await proof.handledOnce(group, messages)
    },
  },
  {
    name: 'a late group starts at the beginning of what is held',
    async prove(proof) {
      const messages = interleaved(someKeys(10), 20)
      const { promise: gate, resolve: open } = Promise.withResolvers<void>()
      const member = await proof.member()
      const started = Promise.withResolvers<void>()
      await member.consume('first', {
        before() {
          started.resolve()
          return gate
        },
      })
      await proof.put(messages)
      await proof.within('the first group has begun', started.promise)
      await (await proof.member()).consume('late')
      try {
        await proof.handledOnce('late', messages)
      } finally {
        open()
      }
      await proof.handledOnce('first', messages)
    },
  },
  {
    name: 'a late group gets everything, although all others have passed it',
    needs: ['keep'],
    async prove(proof) {
      const messages = interleaved(someKeys(10), 20)
      await proof.put(messages)
      const member = await proof.member()
      const first = await member.consume('first')
      await proof.handledOnce('first', messages)
      await first.stop()
      await member.consume('late')
      await proof.handledOnce('late', messages)
    },
  },
  {
    name: 'the members of a group share the partitions, and each message is handled by one of them',
    needs: ['spread'],
    async prove(proof) {
      const messages = interleaved(someKeys(40), 10)
      const members = await Promise.all([proof.member(), proof.member(), proof.member()])
      const consumers = await Promise.all(members.map((member) => member.consume('g')))
      const shares = () => consumers.map(({ partitions }) => partitions)
      const fair = () => {
        const all = shares().flat()
        const each = new Set(all).size === all.length && all.length === logPartitions
        return each && shares().every(({ length }) => length >= 5)
      }
      await proof.until('fair shares', fair, () => JSON.stringify(shares()))
      await proof.put(messages)
      const effects = await proof.handledOnce('g', messages)
      assert.equal(new Set(effects.map(({ member }) => member)).size, 3)
    },
  },
  {
    name: 'a slow partition holds up no other',
    needs: ['spread'],
    async prove(proof) {
      const slow = interleaved([keyIn(0)], 5)
      const others = interleaved(
        Array.from({ length: 15 }, (_, at) => keyIn(at + 1)),
        20,
      )
      const { promise: gate, resolve: open } = Promise.withResolvers<void>()
      const held = Promise.withResolvers<void>()
      await (await proof.member()).consume('g', {
        before(batch) {
          if (!batch.some(({ key }) => key === slow[0]?.key)) return
          held.resolve()
          return gate
        },
      })
      await proof.put(slow)
      await proof.within('the slow partition is being handled', held.promise)
      await proof.put(others)
      try {
        await proof.handledOnce('g', others)
      } finally {
        open()
      }
      await proof.handledOnce('g', [...slow, ...others])
    },
  },
  {
    name: 'many publishers, many keys and many handlers at once: each message once, in the order of its key',
    async prove(proof) {
      const { many, publishers } = proof.sizes
      const keys = someKeys(publishers)
      const each = Math.ceil(many / publishers)
      const members = await Promise.all([proof.member(), proof.member()])
      for (const member of members) await member.consume('g', { concurrency: publishers / 2 })
      await Promise.all(
        keys.map(async (key) => {
          const own = numbered(key, each)
          for (let at = 0; at < each; at += 10) {
            await proof.put(own.slice(at, at + 10))
            await pause(Math.random() * 5)
          }
        }),
      )
      await proof.handledOnce('g', interleaved(keys, each))
    },
  },
]
