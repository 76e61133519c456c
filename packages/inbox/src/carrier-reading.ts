import type { Batch, CarrierPosition, Transport } from '@headrace/transport'
import type { CarrierMove } from './lanes.ts'
import type { Delivery } from './types.ts'

/** One carrier of a leased partition, and where its reading stands. */
export interface CarrierReading {
  readonly transport: Transport
  /** The carrier's own partition: ours modulo its number. */
  partition: number
  /** How many leases read this partition of the carrier. */
  sharers: number
  next: CarrierPosition | undefined
  /** The first position that was passed over because something before it is missing, and whose message it holds. */
  passed:
    | { readonly position: number; readonly incarnation: string; readonly origin: string; readonly offset: number }
    | undefined
  /** Of each origin with a hole: how often going back found it again, and whether this read has met it. */
  readonly holes: Map<string, { vain: number; isMet: boolean }>
  /** Ends the present read, to start again at `passed` or `next`. */
  again: AbortController
}

/** Tells whether a carrier was read to its end, or to a hole; one that does not say may still bring anything. */
export async function isExhausted(carrier: CarrierReading, topic: string): Promise<boolean> {
  const { transport, partition, passed, next } = carrier
  if (passed !== undefined) return true
  try {
    const { incarnation, first, end } = await transport.held(topic, partition)
    return Math.max(next?.incarnation === incarnation ? next.number : 0, first) >= end
  } catch {
    return false
  }
}

/** Tells whether a batch is of a topic made anew since the reading last stood somewhere; then it stands nowhere. */
export function isAnew(carrier: CarrierReading, { incarnation }: Batch): boolean {
  if (carrier.next === undefined || carrier.next.incarnation === incarnation) return false
  carrier.next = undefined
  return true
}

/** Time in ms after which a carrier goes back to what it passed over, although nothing has arrived in between. */
const gapWaitMs = 200
/** Longest such time, once going back was in vain. */
const gapMaxWaitMs = 5_000

/** How long a carrier waits before it goes back to what it passed over for the nth time. */
export function waitMs(vain: number): number {
  return Math.min(gapWaitMs * 2 ** (vain - 1), gapMaxWaitMs)
}

/** Where another carrier than the log is read on after this message; nowhere new while something was passed over. */
export function moveAfter(carrier: CarrierReading, { incarnation }: Batch, last?: Delivery): CarrierMove | undefined {
  const { transport, passed } = carrier
  if (transport.isLog || passed !== undefined || last === undefined) return undefined
  return { carrier: transport.name, next: { incarnation, number: last.position + 1 } }
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
