import type { Queryable, TransactionOptions } from '@headrace/database'
import { PlatformError } from '@headrace/runtime'
import { decideByKey, keyInProgress, twins } from './idempotency.ts'
import { fingerprint, idempotencyKey, keyId } from './idempotency-key.ts'
import {
  answerKey,
  isStorable,
  isTwinConflict,
  lookupKey,
  recordKey,
  type StoredKey,
  type StoredResponse,
} from './idempotency-store.ts'

/** A request that creates or changes something. */
export interface KeyedRequest {
  /** The `Idempotency-Key` header; without one the effect simply runs, once. */
  readonly header: string | readonly string[] | undefined
  /** The token's subject, else the user that the request names; `anonymous` unless given. */
  readonly caller?: string | undefined
  readonly method: string
  /** The path as asked for, without its query. */
  readonly route: string
  /** The body as it counts for the key: JSON as a value, bytes as bytes. */
  readonly body: unknown
}

/**
 * What a request does, in one transaction with its key. The id is made beforehand and is the same when a request whose
 * outcome nobody knew is repeated. Throws to change nothing; then the key stays free. An answer of 4xx that is
 * returned is stored, and so is what was written beside it.
 */
export type KeyedEffect<Tx> = (tx: Tx, effectId: string) => Promise<StoredResponse> | StoredResponse

/** Answers requests once per key: the same key and body get the stored answer again. */
export interface KeyedRequests<Tx> {
  /**
   * Throws `IDEMPOTENCY_KEY_REUSED`, `IDEMPOTENCY_KEY_IN_PROGRESS`, `INVALID_REQUEST` for a malformed header, and what
   * the effect or its transaction throws.
   */
  answer(request: KeyedRequest, effect: KeyedEffect<Tx>): Promise<StoredResponse>
}

export interface KeyedRequestsNeeds<Tx extends Queryable> {
  /** The database that holds the effects: its keys are there, too. */
  readonly database: Queryable
  /** Opens the transaction of an effect, as `log.inTransaction`. */
  inTransaction<T>(work: (tx: Tx) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** Makes the id of an effect: a UUIDv7. */
  readonly newId: () => string
}

/** Runs each effect and records its key in one transaction, so that neither is there without the other. */
export function keyedRequests<Tx extends Queryable>(needs: KeyedRequestsNeeds<Tx>): KeyedRequests<Tx> {
  const { database, newId } = needs
  const running = twins()

  async function run(effect: KeyedEffect<Tx>, effectId: string, record?: Recording): Promise<StoredResponse> {
    return needs.inTransaction(
      async (tx) => {
        const response = await effect(tx, effectId)
        if (record !== undefined && isStorable(response.status)) await record(tx, response, effectId)
        return response
      },
      { settle: true },
    )
  }

  return {
    async answer(request, effect) {
      const text = idempotencyKey(request.header)
      if (text === undefined) return run(effect, newId())
      const key = keyOf(request, text)
      using _turn = running.enter(key.id)
      const decision = decideByKey(await lookupKey(database, key.id), key.fingerprint)
      if (decision.kind === 'replay') return decision.response
      try {
        if (decision.kind === 'unanswered') return await run(effect, decision.effectId, answering(key))
        return await run(effect, newId(), recording(key))
      } catch (error) {
        if (!isTwinConflict(error) && !isRefusal(error)) throw error
        // A twin in another process was faster: its key is in the way, or what it has done.
        const twin = decideByKey(await lookupKey(database, key.id), key.fingerprint)
        if (twin.kind === 'replay') return twin.response
        throw isTwinConflict(error) ? keyInProgress() : error
      }
    },
  }
}

/** What a caller is told is wrong with the request, such as that the thing exists. */
function isRefusal(error: unknown): boolean {
  return error instanceof PlatformError && error.definition.status < 500
}

type Recording = (tx: Queryable, response: StoredResponse, effectId: string) => Promise<void>

type Key = Pick<StoredKey, 'fingerprint'> & { readonly id: Buffer }

function recording({ id, fingerprint }: Key): Recording {
  return (tx, response, effectId) => recordKey(tx, { id, fingerprint, effectId, response })
}

function answering({ id }: Key): Recording {
  return (tx, response) => answerKey(tx, id, response)
}

function keyOf({ caller, method, route, body }: KeyedRequest, key: string): Key {
  return {
    id: keyId({ caller: caller ?? 'anonymous', method, route }, key),
    fingerprint: fingerprint(method, route, body),
  }
}
