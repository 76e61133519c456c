import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type KeyValueFixture, keyValuePromises } from '../src/suite/index.ts'
import { type BrokenStores, keyValueMutants } from './keyvalue-mutants.ts'
import { memoryKeyValue, storeParts, unreachableKeyValue } from './memory-keyvalue.ts'

describe('the suite for key-value drivers', () => {
  for (const promise of keyValuePromises) {
    it(`accepts a model of which it is true that ${promise.name}`, () =>
      promise.prove(async () => fixtureOf({ store: memoryKeyValue(storeParts()) })))
  }
})

// Side by side: a mutant may take a deadline to be found.
describe('the mutants of key-value drivers', { concurrency: true }, () => {
  for (const { kills, make } of keyValueMutants) {
    it(`kills a driver that breaks: ${kills}`, async () => {
      const promise = keyValuePromises.find(({ name }) => name === kills)
      assert.ok(promise, `the suite has no promise '${kills}'`)
      await assert.rejects(promise.prove(async () => fixtureOf(make())))
    })
  }

  it('has a mutant for each promise', () => {
    const killed = new Set(keyValueMutants.map(({ kills }) => kills))
    assert.deepEqual(
      keyValuePromises.map(({ name }) => name).filter((name) => !killed.has(name)),
      [],
    )
  })
})

function fixtureOf({ store, twin = store, unreachable = unreachableKeyValue() }: BrokenStores): KeyValueFixture {
  return { store, twin, unreachable, async [Symbol.asyncDispose]() {} }
}
