import {
  answerKey,
  decideByKey,
  fingerprint,
  idempotencyKey,
  isTwinConflict,
  keyId,
  keyInProgress,
  lookupKey,
  recordKey,
  type StoredResponse,
  twins,
} from '@headrace/http-kit'
import type { LogTransaction } from '@headrace/log'
import { type FaultPoints, moduleError, PlatformError, platformErrors } from '@headrace/runtime'
import type { Station } from '@headrace/station'
import { errors } from '../contract.ts'
import type { OrderRequest } from '../domain/accepted-order.ts'
import { type EventOutcome, findEvent, type SentEvent } from '../store/events.ts'
import { type AcceptNeeds, acceptRequest } from './accept.ts'
import type { Outcomes } from './outcomes.ts'

export interface PlaceNeeds extends AcceptNeeds {
  readonly station: Pick<Station, 'database' | 'log'>
  readonly outcomes: Outcomes
  readonly ackTimeoutMs: number
  readonly newId: () => string
  readonly faults: FaultPoints
}

/** A request, before ids are given. */
export interface Placement {
  /** Makes the request; a new order gets the id that is passed. */
  readonly request: (newOrderId: string) => OrderRequest
  readonly trace: string | undefined
  /** False: answer at once, 202. */
  readonly wait: boolean
  readonly key: {
    readonly header: string | readonly string[] | undefined
    readonly caller: string
    readonly body: unknown
  }
}

const route = '/orders'
const method = 'POST'

/**
 * Accepts a request and waits for the worker. With an Idempotency-Key the key is recorded beside the effect and the answer
 * once it is known; whoever repeats it in between waits for the same event.
 */
export function orderPlacing(needs: PlaceNeeds): (placement: Placement) => Promise<StoredResponse> {
  const running = twins()
  return async (placement) => {
    const text = idempotencyKey(placement.key.header)
    if (text === undefined) return placeOnce(needs, placement)
    const { caller, body } = placement.key
    const id = keyId({ caller, method, route }, text)
    using _turn = running.enter(id)
    // Awaited here: the turn ends with this scope.
    return await placeByKey(needs, placement, { id, fingerprint: fingerprint(method, route, body) })
  }
}

interface Key {
  readonly id: Buffer
  readonly fingerprint: Buffer
}

async function placeByKey(needs: PlaceNeeds, placement: Placement, key: Key): Promise<StoredResponse> {
  const { database } = needs.station
  const decision = decideByKey(await lookupKey(database, key.id), key.fingerprint)
  if (decision.kind === 'replay') return decision.response
  const response =
    decision.kind === 'fresh'
      ? await placeFresh(needs, placement, key)
      : await resume(needs, placement, decision.effectId)
  await answerKey(database, key.id, response)
  return response
}

async function placeFresh(needs: PlaceNeeds, placement: Placement, key: Key): Promise<StoredResponse> {
  try {
    return await placeOnce(needs, placement, (tx, effectId) => recordKey(tx, { ...key, effectId }))
  } catch (error) {
    // A twin in another process was faster and waits now.
    if (isTwinConflict(error)) throw keyInProgress()
    throw error
  }
}

/** The event was sent and whoever sent it has not told: its outcome is waited for again. */
async function resume(needs: PlaceNeeds, placement: Placement, eventId: string): Promise<StoredResponse> {
  using waiting = needs.outcomes.waitFor(eventId)
  const event = await findEvent(needs.station.database, eventId)
  if (event === undefined) throw keyInProgress()
  return answer(event, placement.wait ? await waiting.within(needs.ackTimeoutMs) : undefined)
}

async function placeOnce(
  needs: PlaceNeeds,
  { request, trace, wait }: Placement,
  record?: (tx: LogTransaction, effectId: string) => Promise<void>,
): Promise<StoredResponse> {
  const eventId = needs.newId()
  const wanted = { ...request(needs.newId()), eventId, trace }
  // Before the commit: the worker may be faster than the answer to it.
  using waiting = needs.outcomes.waitFor(eventId)
  const event = await needs.station.log.inTransaction(
    async (tx) => {
      // First and in the same flight, so that twins meet at the key and not at what the faster one has done.
      record?.(tx, eventId).catch(() => {})
      const accepted = await acceptRequest(tx, needs, wanted)
      await needs.faults.at('effect.before-commit')
      return accepted
    },
    { settle: true },
  )
  await needs.faults.at('effect.after-commit')
  return answer(event, wait ? await waiting.within(needs.ackTimeoutMs) : undefined)
}

/** The answer to a request whose event was sent. Throws the 4xx of a rejection. */
function answer({ orderId, kind }: SentEvent, outcome: EventOutcome | undefined): StoredResponse {
  if (outcome === undefined) return { status: 202, body: { order_id: orderId, status: 'accepted' } }
  if (outcome.outcome === 'rejected') throw rejection(outcome.code)
  return { status: kind === 'created' ? 201 : 200, body: { order_id: orderId, status: kind } }
}

/** A code from the wire as an error; one that is no caller's fault reads as a refused request. */
function rejection(code: string | undefined): PlatformError {
  const text = `the order was rejected: ${code ?? 'no reason was given'}`
  const name = (code ?? '').toUpperCase()
  const own = Object.keys(errors).find((known) => known === name)
  if (own !== undefined) return new PlatformError(moduleError(errors, own as keyof typeof errors), text)
  const common = Object.entries(platformErrors).find(([known, { status }]) => known === name && status < 500)
  // Found among the keys of the registry.
  return new PlatformError((common?.[0] ?? 'INVALID_REQUEST') as keyof typeof platformErrors, text)
}
