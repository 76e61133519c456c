import { describe, it } from 'node:test'
import { carrierPromises } from './carrier/index.ts'
import { type CarrierHarness, exemption } from './harness.ts'
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
