import { type Database, isInfrastructureError, type Transaction } from '@headrace/database'
import type { Log } from '@headrace/log'
import { type FaultPoints, hasCode, messageOf, PlatformError } from '@headrace/runtime'
import type { CarrierPosition } from '@headrace/transport'
import { MessageError } from './errors.ts'
import { keepPlaces, type Lane, type LaneAddress, type LaneMove, moveLanes, recordTrial, wholeBatch } from './lanes.ts'
import { blockKey, ensureParkedKeys, insertParked, lockParkedKeys, type Parking } from './parking-store.ts'
import type { Rules } from './rules.ts'
import type { ConsumerEvents, Delivery } from './types.ts'

/** A message at its place in a lane. */
export interface LaneMessage {
  readonly message: Delivery
  readonly address: LaneAddress
}

/** Consecutive messages of one lane, the next ones that it takes. */
export interface LaneRun {
  readonly lane: Lane
  readonly messages: readonly LaneMessage[]
  /** Whether the log itself brought them. */
  readonly fromLog: boolean
  /** Where the carrier that brought them stands behind them; undefined for the log, whose lane says it. */
  readonly move?: CarrierMove | undefined
}

export interface CarrierMove {
  readonly carrier: string
  readonly next: CarrierPosition
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

/** Deaths of a process put down to one message before it is set aside. */
export const maxTrials = 3

/** Thrown in a transaction whose lane was taken over: the batch is dropped and the lease is over. */
export function fenced(lane: Pick<Lane, 'group' | 'topic' | 'partition' | 'epoch'>): PlatformError {
  const place = `${lane.group} ${lane.topic}/${lane.partition}`
  return new PlatformError('FENCED', `lane ${place} was taken over at epoch ${lane.epoch}`)
}

/** Tells whether an error is the loss of a lane or claim. */
export function isFenced(error: unknown): boolean {
  return hasCode(error, 'FENCED')
}

/** Tells whether an error is no message's fault. */
export function isBlameless(error: unknown): boolean {
  return isFenced(error) || isInfrastructureError(rootCause(error))
}

/** What is behind a `MessageError`. */
export function rootCause(error: unknown): unknown {
  return error instanceof MessageError ? error.cause : error
}

/**
 * Handles a run: as one batch if all goes well. When one of its messages is at fault, those before it are committed,
 * then it runs alone, and those behind it follow; when nobody says which one it is, each runs alone. Throws only what is
 * no message's fault: `FENCED`, or an infrastructure error; the lane then stands where its last commit left it.
 */
export async function handleRun(needs: BatchNeeds, run: LaneRun): Promise<void> {
  try {
    await commitRuns(needs, [run])
  } catch (error) {
    if (isBlameless(error)) throw rootCause(error)
    if (run.messages.length === 1) return setAside(needs, run, error)
    await handleAround(needs, run, error)
  }
}

/** Splits a failed run at the message that it names. */
async function handleAround(needs: BatchNeeds, run: LaneRun, error: unknown): Promise<void> {
  const { messages } = run
  const part = (some: readonly LaneMessage[]) => handleRun(needs, { ...run, messages: some, move: undefined })
  const at = error instanceof MessageError ? messages.findIndex(({ message }) => message.id === error.messageId) : -1
  if (at < 0) {
    for (const message of messages) await part([message])
    return
  }
  if (at > 0) await part(messages.slice(0, at))
  await part(messages.slice(at, at + 1))
  if (at + 1 < messages.length) await part(messages.slice(at + 1))
}

/**
 * Handles a run after committing that it is about to run alone, so that a death of the process is put down to it. A
 * message with three deaths is set aside as `CONSUMER_KILLED` instead. A repetition by the same process is no death.
 */
export async function handleOnTrial(
  needs: BatchNeeds,
  run: LaneRun,
  trial: { readonly id: string; readonly carried: number },
): Promise<void> {
  const { lane } = run
  if (lane.ownTrialId !== trial.id) {
    const deaths = await recordTrial(needs.database, lane, trial)
    if (deaths === undefined) throw fenced(lane)
    lane.ownTrialId = trial.id
    lane.trials = deaths
  }
  await needs.faults.at('trial.after-record')
  if (trial.id === wholeBatch || lane.trials < maxTrials) await handleRun(needs, run)
  else await setAside(needs, run, killed(lane.trials))
  lane.ownTrialId = undefined
}

/** What is recorded with a message that was running alone whenever its process died. */
export function killed(deaths: number): PlatformError {
  return new PlatformError('CONSUMER_KILLED', `the process died ${deaths} times while it handled this message`)
}

/** Handles runs of different lanes in one transaction, each lane fenced, all or none. */
export async function commitRuns(needs: BatchNeeds, runs: readonly LaneRun[]): Promise<void> {
  const { log, rules, faults } = needs
  await faults.at('batch.before-open')
  const queued = await log.inTransaction(async (tx) => {
    const behind = await openBatch(needs, tx, runs)
    await faults.at('batch.after-open')
    const waits = ({ message }: LaneMessage) => rules.isWork || behind.has(rules.queueKey(message))
    const now = runs.flatMap(({ messages }) => messages.filter((message) => !waits(message)))
    const later = runs.flatMap(({ messages }) => messages.filter(waits).map((message) => toQueue(rules, message)))
    if (later.length > 0) await enqueue(rules, tx, later)
    // Not awaited, so that it shares a flight with what follows; what fails here fails the transaction.
    const moves = runs.flatMap(({ lane, move }) => (move === undefined ? [] : [{ lane, ...move }]))
    if (moves.length > 0) keepPlaces(tx, moves).catch(() => {})
    if (rules.handle !== undefined && now.length > 0)
      await rules.handle(
        tx,
        now.map(({ message }) => message),
      )
    await faults.at('batch.before-commit')
    return later.length
  })
  await faults.at('batch.after-commit')
  let count = 0
  for (const run of runs) {
    advance(run, run.messages.at(-1))
    count += run.messages.length
  }
  if (queued < count) needs.events.handled?.(count - queued)
  if (queued > 0) needs.onQueued(queued)
}

/** The first flight: fence the lanes and learn which keys are parked. */
async function openBatch(needs: BatchNeeds, tx: Transaction, runs: readonly LaneRun[]): Promise<ReadonlySet<string>> {
  const { rules } = needs
  const moves = runs.flatMap((run) => moveOf(run, run.messages.at(-1)))
  const keys = new Set(runs.flatMap(({ messages }) => messages.map(({ message }) => rules.queueKey(message))))
  const moved = moveLanes(tx, moves)
  // Workers get everything through the queue, which locks the keys itself.
  const parked = rules.isWork ? new Set<string>() : lockParkedKeys(tx, rules, [...keys])
  const [held, behind] = await Promise.all([moved, parked])
  if (!held && runs[0] !== undefined) throw fenced(runs[0].lane)
  return behind
}

function toQueue(rules: Rules, { message }: LaneMessage): Parking {
  return { message, queueKey: rules.queueKey(message), state: 'queued', attempts: 0 }
}

async function enqueue(rules: Rules, tx: Transaction, parkings: readonly Parking[]): Promise<void> {
  // A handler's batch has found and locked the keys that its messages queue behind.
  const locked = rules.isWork && ensureParkedKeys(tx, rules, new Set(parkings.map(({ queueKey }) => queueKey)), 0)
  await Promise.all([locked, insertParked(tx, rules, parkings)])
}

/** Parks the one message that failed, or declares it dead, in the transaction that moves the lane past it. */
async function setAside(needs: BatchNeeds, run: LaneRun, error: unknown): Promise<void> {
  const { lane } = run
  const [failed] = run.messages
  if (failed === undefined) return
  const { rules, events, faults } = needs
  const { message } = failed
  const verdict = rules.judge(error, 1)
  const { state, code, cause, keyState, waitMs } = verdict
  const parking = { ...toQueue(rules, failed), state, code, attempts: 1, error: messageOf(cause) }
  await needs.database.inTransaction(async (tx) => {
    if (!(await moveLanes(tx, moveOf(run, failed)))) throw fenced(lane)
    // A dead message whose key goes on needs no key row; all others make those behind them wait.
    if (keyState !== 'free') await ensureParkedKeys(tx, rules, new Set([parking.queueKey]), waitMs)
    await insertParked(tx, rules, [parking])
    if (keyState === 'blocked') await blockKey(tx, rules, parking.queueKey)
    await faults.at('park.before-commit')
  })
  await faults.at('park.after-commit')
  advance(run, failed)
  if (state === 'dead') events.died?.(message, code)
  else events.failed?.(message, cause)
  needs.onQueued(state === 'queued' ? 1 : 0)
}

function moveOf({ lane, fromLog }: LaneRun, last: LaneMessage | undefined): LaneMove[] {
  return last === undefined ? [] : [{ lane, fromLog, last: last.message, offset: last.address.offset }]
}

function advance({ lane, fromLog }: LaneRun, last: LaneMessage | undefined): void {
  if (last === undefined) return
  lane.position = last.address.offset
  if (fromLog) lane.seenUntilMs = last.message.at
}
