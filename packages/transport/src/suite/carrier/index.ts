import type { SuitePromise } from '../harness.ts'
import type { CarrierProof } from '../proof.ts'
import { boundPromises } from './bounds.ts'
import { contentPromises } from './content.ts'
import { orderPromises } from './order.ts'
import { readingPromises } from './reading.ts'
import { renewalPromises } from './renewal.ts'
import { stoppingPromises } from './stopping.ts'

/** What a carrier alone promises: at least once, in order. */
export const carrierPromises: readonly SuitePromise<CarrierProof>[] = [
  ...orderPromises,
  ...readingPromises,
  ...contentPromises,
  ...boundPromises,
  ...stoppingPromises,
  ...renewalPromises,
]
