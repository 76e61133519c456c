import type { LaneSpot } from '@headrace/inbox'
import { v5 } from 'uuid'

/** The namespace of ids that stand for where a message came from. */
const namespace = '6f9c4a52-2a4e-5d0b-9d53-7c1b8f0e2a11'

/** The id of a foreign event: the same whenever and by whomever it is read. */
export function originId({ origin, partition, offset }: LaneSpot): string {
  return v5(`${origin}/${partition}/${offset}`, namespace)
}
