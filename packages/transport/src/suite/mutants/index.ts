import { contentMutants } from './content.ts'
import { deliveryMutants } from './delivery.ts'
import type { Mutant } from './mutant.ts'
import { readingMutants } from './reading.ts'

export type { Mutant } from './mutant.ts'

/** Broken carriers: a suite that one of them passes proves nothing. */
export const carrierMutants: readonly Mutant[] = [...deliveryMutants, ...readingMutants, ...contentMutants]
