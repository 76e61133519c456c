import { describe, it } from 'node:test'
import { carrierPromises } from './carrier/index.ts'
import { type CarrierHarness, exemption } from './harness.ts'
import { oncePromises } from './once/index.ts'
import { proveOnce, type Source } from './once/proof.ts'
import { proveOnCarrier } from './proof.ts'

/** Registers the promises about a carrier alone with the test runner. */
export function testCarrier(harness: CarrierHarness): void {
  describe(`${harness.name} as a carrier`, () => {
    for (const promise of carrierPromises) {
      const skip = exemption(harness, promise.needs) ?? false
      it(promise.name, { skip }, () => proveOnCarrier(harness, promise))
    }
  })
}

/** Registers the promises about a carrier together with the inbox, for each source of messages that it has. */
export function testOnce(harness: CarrierHarness, sources: readonly Source[]): void {
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
