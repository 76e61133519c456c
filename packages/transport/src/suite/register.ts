import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { carrierPromises } from './carrier/index.ts'
import { type CarrierHarness, type CompositeHarness, exemption } from './harness.ts'
import { oncePromises } from './once/index.ts'
import { OnceProof, proveOnce, type Source } from './once/proof.ts'
import { type ServerControls, serverPromises } from './once/servers.ts'
import { proveOnCarrier } from './proof.ts'

/** Registers the promises about a carrier alone with the test runner. */
export function testCarrier(harness: CarrierHarness | CompositeHarness): void {
  describe(`${harness.name} as a carrier`, () => {
    for (const promise of carrierPromises) {
      const skip = exemption(harness, ['carry', ...(promise.needs ?? [])]) ?? false
      it(promise.name, { skip }, async () => {
        assert.ok('open' in harness, `${harness.name} is no carrier, and says not why`)
        await proveOnCarrier(harness, promise)
      })
    }
  })
}

/** Registers the promises about a carrier together with the inbox, for each source of messages that it has. */
export function testOnce(harness: CarrierHarness | CompositeHarness, sources: readonly Source[]): void {
  for (const source of sources) {
    describe(`${harness.name} and the inbox, with ${source} messages`, () => {
      for (const promise of oncePromises) {
        if (promise.sources?.includes(source) === false) continue
        const skip = exemption(harness, promise.needs) ?? false
        it(promise.name, { skip }, () => proveOnce(harness, source, promise))
      }
    })
  }
}

/** Registers the promises about servers that fail under load, on servers that nobody else uses. */
export function testServers(
  harness: CarrierHarness | CompositeHarness,
  servers: () => Promise<readonly ServerControls[]>,
): void {
  describe(`servers of ${harness.name} that fail, with appended messages`, () => {
    for (const promise of serverPromises) {
      it(promise.name, async () => {
        const controls = await servers()
        await using proof = await OnceProof.open(harness, 'appended')
        await promise.prove(proof, controls)
      })
    }
  })
}
