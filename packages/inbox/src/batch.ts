import { type Database, isInfrastructureError, type Transaction } from '@headrace/database'
import type { Log } from '@headrace/log'
import { type FaultPoints, hasCode, messageOf, PlatformError } from '@headrace/runtime'
import type { CarrierPosition } from '@headrace/transport'
import { MessageError } from './errors.ts'
import { type Lane, type LaneAddress, moveCarrier, moveLane, recordTrial } from './lanes.ts'
import { ensureParkedKeys, insertParked, lockParkedKeys, type Parking } from './parking-store.ts'
import type { Rules } from './rules.ts'
import type { ConsumerEvents, Delivery } from './types.ts'

/** A message at its place in a lane. */
export interface LaneMessage {
  readonly message: Delivery
  readonly address: LaneAddress
}

export interface BatchNeeds {
  readonly database: Database
  readonly log: Log
  readonly rules: Rules
  readonly events: ConsumerEvents
  readonly faults: FaultPoints
  /** Told after messages were put into the queue. */
  readonly onQueued: (count: number) => void
}

/** Where a carrier that is not the log stands once the batch is done. */
export interface CarrierMove {
  readonly carrier: string
  readonly next: CarrierPosition
}

/** Deaths of a process during one message before it is set aside. */
export const maxTrials = 3

/** Thrown in a batch transaction whose lane was taken over: the batch is dropped and the lease is over. */
function fenced(lane: Lane): PlatformError {
  const place = `${lane.group} ${lane.topic}/${lane.partition}`
  return new PlatformError('FENCED', `lane ${place} was taken over at epoch ${lane.epoch}`)
}

/** Tells whether an error is the loss of a lane or claim. */
export function isFenced(error: unknown): boolean {
  return hasCode(error, 'FENCED')
}

/**
 * Handles consecutive messages of one lane, in order: as one batch if all goes well. When one of them is at fault, those
 * before it are committed, then it runs alone, and those behind it follow; when nobody says which one it is, each runs
 * alone. Throws only what is no message's fault: `FENCED`, or an infrastructure error; the lane then stands where its
 * last commit left it.
 */
export async function handleBatch(
  needs: BatchNeeds,
  lane: Lane,
  messages: readonly LaneMessage[],
  move?: CarrierMove,
): Promise<void> {
  try {
    await commitBatch(needs, lane, messages, move)
  } catch (error) {
    if (isFenced(error) || isInfrastructureError(rootCause(error))) throw rootCause(error)
    if (messages.length === 1) return setAside(needs, lane, messages[0], error)
    await handleAround(needs, lane, messages, error)
  }
}

/** Splits a failed batch at the message that it names. */
async function handleAround(
  needs: BatchNeeds,
  lane: Lane,
  messages: readonly LaneMessage[],
  error: unknown,
): Promise<void> {
  const at = error instanceof MessageError ? messages.findIndex(({ message }) => message.id === error.messageId) : -1
  if (at < 0) {
    for (const message of messages) await handleBatch(needs, lane, [message])
    return
  }
  if (at > 0) await handleBatch(needs, lane, messages.slice(0, at))
  await handleBatch(needs, lane, messages.slice(at, at + 1))
  if (at + 1 < messages.length) await handleBatch(needs, lane, messages.slice(at + 1))
}

/**
 * Handles one message alone, counting the deaths of the process during it; after the third it is set aside as
 * `CONSUMER_KILLED` instead. A repetition by the same process is no death, hence `ownTrialId`.
 */
export async function handleOnTrial(needs: BatchNeeds, lane: Lane, message: LaneMessage): Promise<void> {
  if (lane.ownTrialId !== message.message.id) {
    const deaths = await recordTrial(needs.database, lane, message.message.id)
    if (deaths === undefined) throw fenced(lane)
    lane.ownTrialId = message.message.id
    lane.trials = deaths
  }
  await needs.faults.at('trial.after-record')
  if (lane.trials < maxTrials) return handleBatch(needs, lane, [message])
  const text = `the process died ${lane.trials} times while it handled this message`
  return setAside(needs, lane, message, new PlatformError('CONSUMER_KILLED', text))
}

async function commitBatch(
  needs: BatchNeeds,
  lane: Lane,
  messages: readonly LaneMessage[],
  move: CarrierMove | undefined,
): Promise<void> {
  const { log, rules, faults } = needs
  const last = messages.at(-1)
  if (last === undefined) return
  await faults.at('batch.before-open')
  const queued = await log.inTransaction(async (tx) => {
    const behind = await openBatch(needs, tx, lane, messages, last)
    await faults.at('batch.after-open')
    const now = messages.filter(({ message }) => !behind.has(rules.queueKey(message)))
    const queue = rules.isWork ? messages : messages.filter(({ message }) => behind.has(rules.queueKey(message)))
    if (queue.length > 0) await enqueue(needs, tx, lane, queue)
    if (move !== undefined) await moveCarrier(tx, lane, move.carrier, move.next)
    if (rules.handle !== undefined && now.length > 0) await rules.handle(tx, now.map(({ message }) => message))
    await faults.at('batch.before-commit')
    return queue.length
  })
  await faults.at('batch.after-commit')
  lane.position = last.address.offset
  lane.seenUntilMs = last.message.at
  if (queued < messages.length) needs.events.handled?.(messages.length - queued)
  if (queued > 0) needs.onQueued(queued)
}

/** The first flight: fence the lane and learn which keys are parked. */
async function openBatch(
  needs: BatchNeeds,
  tx: Transaction,
  lane: Lane,
  messages: readonly LaneMessage[],
  last: LaneMessage,
): Promise<ReadonlySet<string>> {
  const keys = [...new Set(messages.map(({ message }) => needs.rules.queueKey(message)))]
  const moved = moveLane(tx, lane, last.message, last.address.offset)
  // Workers get everything through the queue, which locks the keys itself.
  const parked = needs.rules.isWork ? new Set<string>() : lockParkedKeys(tx, lane, keys)
  const [moves, behind] = await Promise.all([moved, parked])
  if (!moves) throw fenced(lane)
  return behind
}

async function enqueue(
  needs: BatchNeeds,
  tx: Transaction,
  lane: Lane,
  messages: readonly LaneMessage[],
): Promise<void> {
  const { rules } = needs
  const parkings = messages.map(({ message, address }): Parking => {
    const queueKey = rules.queueKey(message)
    return { message, address, partition: lane.partition, queueKey, state: 'queued', attempts: 0 }
  })
  // A handler's batch has found and locked the keys that its messages queue behind.
  if (rules.isWork) await ensureParkedKeys(tx, lane, new Set(parkings.map(({ queueKey }) => queueKey)), 0)
  await insertParked(tx, lane, parkings)
}

/** Parks the message that failed, or declares it dead, in the transaction that moves the lane past it. */
async function setAside(
  needs: BatchNeeds,
  lane: Lane,
  failed: LaneMessage | undefined,
  error: unknown,
): Promise<void> {
  if (failed === undefined) return
  const { rules, events, faults } = needs
  const { message, address } = failed
  const verdict = rules.judge(error, 1)
  const queueKey = rules.queueKey(message)
  await needs.database.inTransaction(async (tx) => {
    if (!(await moveLane(tx, lane, message, address.offset))) throw fenced(lane)
    // A dead message whose key goes on needs no key row; all others make those behind them wait.
    if (verdict.keyState !== 'free') await ensureParkedKeys(tx, lane, new Set([queueKey]), verdict.waitMs)
    const parking = { message, address, partition: lane.partition, queueKey, attempts: 1 }
    await insertParked(tx, lane, [{ ...parking, state: verdict.state, code: verdict.code, error: messageOf(verdict.cause) }])
    if (verdict.keyState === 'blocked') await blockKey(tx, lane, queueKey)
    await faults.at('park.before-commit')
  })
  await faults.at('park.after-commit')
  lane.position = address.offset
  lane.seenUntilMs = message.at
  if (verdict.state === 'dead') events.died?.(message, verdict.code)
  else events.failed?.(message, verdict.cause)
  needs.onQueued(verdict.state === 'queued' ? 1 : 0)
}

/** Nothing of this key runs until somebody redrives or drops its head. */
async function blockKey(tx: Transaction, lane: Lane, key: string): Promise<void> {
  await tx.query({
    name: 'parking.block',
    text: `update headrace.parked_key set state = 'blocked' where group_name = $1 and topic = $2 and key = $3`,
    values: [lane.group, lane.topic, key],
  })
}

/** What is behind a `MessageError`. */
export function rootCause(error: unknown): unknown {
  return error instanceof MessageError ? error.cause : error
}
