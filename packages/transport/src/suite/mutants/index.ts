import { contentMutants } from './content.ts'
import { deliveryMutants } from './delivery.ts'
import type { Mutant } from './mutant.ts'
import { readingMutants } from './reading.ts'

export type { Mutant } from './mutant.ts'

/** Broken carriers: a suite that one of them passes proves nothing. */
export const carrierMutants: readonly Mutant[] = [...deliveryMutants, ...readingMutants, ...contentMutants]

/** The mutant with this name. */
export function mutantNamed(name: string): Mutant {
  const mutant = carrierMutants.find((each) => each.name === name)
  if (mutant === undefined) throw new RangeError(`no mutant is named '${name}'`)
  return mutant
}
