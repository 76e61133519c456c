import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memoryPubSub } from '../src/memory-pubsub.ts'
import type { PubSub, PubSubOptions } from '../src/pubsub.ts'
import { type PubSubFixture, pubSubPromises } from '../src/suite/index.ts'
import { pubSubMutants } from './pubsub-mutants.ts'

describe('memoryPubSub', () => {
  for (const promise of pubSubPromises) {
    it(promise.name, () => promise.prove(async () => fixtureOf(memoryPubSub)))
  }
})

// Side by side: a mutant may take a deadline to be found.
describe('the suite for pub/sub drivers', { concurrency: true }, () => {
  for (const { kills, make } of pubSubMutants) {
    it(`kills a driver that breaks: ${kills}`, async () => {
      const promise = pubSubPromises.find(({ name }) => name === kills)
      assert.ok(promise, `the suite has no promise '${kills}'`)
      await assert.rejects(promise.prove(async () => fixtureOf(make)))
    })
  }

  it('has a mutant for each promise', () => {
    const killed = new Set(pubSubMutants.map(({ kills }) => kills))
    assert.deepEqual(
      pubSubPromises.map(({ name }) => name).filter((name) => !killed.has(name)),
      [],
    )
  })
})

function fixtureOf(make: (options: PubSubOptions) => PubSub): PubSubFixture {
  const errors: unknown[] = []
  const pubsub = make({ onError: (error) => errors.push(error) })
  return { here: pubsub, there: pubsub, errors, async [Symbol.asyncDispose]() {} }
}
