import type { CarrierPosition, Transport } from '@headrace/transport'

/** One carrier of a leased partition, and where its reading stands. */
export interface CarrierReading {
  readonly transport: Transport
  /** The carrier's own partition: ours modulo its number. */
  readonly partition: number
  /** How many leases read this partition of the carrier. */
  readonly sharers: number
  next: CarrierPosition | undefined
  /** The first position that was passed over because something before it is missing, and whose message it holds. */
  passed:
    | { readonly position: number; readonly incarnation: string; readonly origin: string; readonly offset: number }
    | undefined
  /** Times that going back found the same hole again. */
  vain: number
  /** Ends the present read, to start again at `passed` or `next`. */
  again: AbortController
}

/** Tells whether a carrier was read to its end, or to a hole; one that does not say may still bring anything. */
export async function isExhausted(
  { transport, partition, passed, next }: CarrierReading,
  topic: string,
): Promise<boolean> {
  if (passed !== undefined) return true
  try {
    const { incarnation, first, end } = await transport.held(topic, partition)
    return Math.max(next?.incarnation === incarnation ? next.number : 0, first) >= end
  } catch {
    return false
  }
}

/** What the leases of this process have passed, so that a carrier's partition which several share is told the least. */
export class Progress {
  readonly #places = new Map<string, Map<number, CarrierPosition>>()

  /** Says how far a lease is; tells the carrier when all leases that share its partition are read here. */
  tell(group: string, topic: string, lease: number, { transport, partition, sharers, next }: CarrierReading): void {
    if (next === undefined) return
    const name = `${transport.name}/${partition}`
    const places = this.#places.get(name) ?? new Map<number, CarrierPosition>()
    this.#places.set(name, places.set(lease, next))
    const known = [...places.values()].filter(({ incarnation }) => incarnation === next.incarnation)
    if (known.length < sharers) return
    const number = Math.min(...known.map((place) => place.number))
    transport.passed?.(group, topic, partition, { incarnation: next.incarnation, number })
  }

  /** A lease that is no longer read here: others may be anywhere. */
  forget(lease: number): void {
    for (const places of this.#places.values()) places.delete(lease)
  }
}
