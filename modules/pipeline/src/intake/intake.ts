import type { KeyRecord, StoredResponse } from '@headrace/http-kit'
import type { Durability, Message } from '@headrace/transport'
import type { LogPlace } from '../context.ts'

/** The Idempotency-Key of a request. */
export interface IntakeKey {
  readonly record: KeyRecord & { readonly response: StoredResponse }
  /** True when an earlier request has recorded the key and its outcome is not known. */
  readonly isKnown: boolean
  /** True when the answer is recorded later than the messages: until then a repetition asks again. */
  readonly answersLater?: boolean
}

/** What one request brings: all of it is accepted, or none. */
export interface IntakeItem {
  readonly messages: readonly Message[]
  readonly key?: IntakeKey | undefined
  /** Told of each message where it stands in the log, if that is known. */
  readonly placed?: (place: LogPlace) => void
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
