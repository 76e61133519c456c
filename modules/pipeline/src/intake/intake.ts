import type { KeyRecord, StoredResponse } from '@headrace/http-kit'
import type { Durability, Message } from '@headrace/transport'

/** The Idempotency-Key of a request. */
export interface IntakeKey {
  readonly record: KeyRecord & { readonly response: StoredResponse }
  /** True when an earlier request has recorded the key and its outcome is not known. */
  readonly isKnown: boolean
}

/** What one request brings: all of it is accepted, or none. */
export interface IntakeItem {
  readonly messages: readonly Message[]
  readonly key?: IntakeKey | undefined
}

/**
 * Takes messages over: once it resolves they are held at its durability. Rejects with `QUEUE_FULL` or
 * `QUEUE_UNAVAILABLE` when nothing was accepted, with `OUTCOME_UNKNOWN` when that cannot be known, and with a twin
 * conflict (see `isTwinConflict`) when another request has recorded the same key meanwhile.
 */
export interface Intake {
  readonly durability: Durability
  accept(item: IntakeItem): Promise<void>
  /** Waits for what is being accepted. */
  drain(): Promise<void>
}
