import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Transport } from '@headrace/transport'
import { carrierMutants, carrierPromises, exemption, memoryHarness, proveOnCarrier } from '@headrace/transport/suite'

const sizes = { few: 100, many: 500, publishers: 10, confirmed: 1_000, rounds: 5 }

function harnessOf(users?: (user: Transport) => Transport) {
  return { ...memoryHarness({ maxMessages: 2_000 }, users), sizes, deadlineMs: 400 }
}

function promiseNamed(name: string) {
  const promise = carrierPromises.find((each) => each.name === name)
  assert.ok(promise, `no promise is named '${name}'`)
  return promise
}

const applying = carrierPromises.filter(({ needs }) => exemption(harnessOf(), needs) === undefined)

describe('the carrier suite', () => {
  for (const { name, killedBy, breaking } of carrierMutants) {
    it(`notices a carrier that ${name}`, async () => {
      for (const promise of killedBy.map(promiseNamed)) {
        await assert.rejects(proveOnCarrier(harnessOf(breaking()), promise), `'${promise.name}' did not notice`)
      }
    })
  }

  it('has a mutant for every promise', () => {
    const killers = new Set(carrierMutants.flatMap(({ killedBy }) => killedBy))
    assert.deepEqual(
      applying.map(({ name }) => name).filter((name) => !killers.has(name)),
      [],
    )
  })

  it('finds nothing wrong, with the same sizes and deadlines, in a carrier that nobody broke', async () => {
    for (const promise of applying) await proveOnCarrier(harnessOf(), promise)
  })
})
