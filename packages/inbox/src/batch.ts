import { type Database, isInfrastructureError, type Transaction } from '@headrace/database'
import type { Log } from '@headrace/log'
import { type FaultPoints, hasCode, messageOf, PlatformError } from '@headrace/runtime'
import { MessageError } from './errors.ts'
import { advance, keepPlaces, type Lane, type LaneRun, moveLanes, recordTrial, wholeBatch } from './lanes.ts'
import { blockKey, ensureParkedKeys, insertParked, lockParkedKeys } from './parking-store.ts'
import type { Rules } from './rules.ts'
import type { ConsumerEvents, Delivery } from './types.ts'

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

/** Splits a failed run at the message that it names, or else into its messages. */
async function handleAround(needs: BatchNeeds, run: LaneRun, error: unknown): Promise<void> {
  const { messages } = run
  const at = error instanceof MessageError ? messages.findIndex(({ id }) => id === error.messageId) : -1
  const parts =
    at < 0
      ? messages.map((message) => [message])
      : [messages.slice(0, at), messages.slice(at, at + 1), messages.slice(at + 1)]
  for (const part of parts) if (part.length > 0) await handleRun(needs, { ...run, messages: part, move: undefined })
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

/**
 * For how many batches of a lane that met a parked key the handler waits for the fence's answer: what it does for nothing
 * costs a repetition, and where the queue works on the same rows, a deadlock that only the server ends.
 */
const cautiousBatches = 10
/** Undoes what a handler did with messages that must wait. */
const parkedAhead = new Error('a message must wait behind its key')

/**
 * Handles runs of different lanes in one transaction, each lane fenced, all or none. Where no batch met a parked key
 * lately, the handler's first statements share the flight that fences; what they did is undone if the answer forbids it.
 */
export async function commitRuns(needs: BatchNeeds, runs: readonly LaneRun[]): Promise<void> {
  const { log, rules, events, faults } = needs
  await faults.at('batch.before-open')
  const messages = runs.flatMap((run) => run.messages)
  const isBold = runs.every(({ lane }) => lane.cautious === 0)
  const committing = log.inTransaction(async (tx) => {
    const handle = async (free: readonly Delivery[]) => free.length > 0 && (await rules.handle?.(tx, free))
    const opening = openBatch(rules, tx, runs)
    const ahead = isBold ? handle(messages) : undefined
    await Promise.allSettled([opening, ahead])
    const free = await opening
    if (ahead !== undefined && free.length < messages.length) throw parkedAhead
    await faults.at('batch.after-open')
    await (ahead ?? handle(free))
    await faults.at('batch.before-commit')
    return free.length
  })
  const handled = await committing.catch((error: unknown) =>
    error === parkedAhead ? undefined : Promise.reject(error),
  )
  if (handled === undefined) return commitRuns(needs, runs)
  await faults.at('batch.after-commit')
  for (const run of runs) advance(run)
  if (handled > 0) events.handled?.(handled)
  if (handled < messages.length) needs.onQueued(messages.length - handled)
}

/** The first flight: fences the lanes. Queues what must wait and returns the messages that need not. */
async function openBatch(rules: Rules, tx: Transaction, runs: readonly LaneRun[]): Promise<readonly Delivery[]> {
  const messages = runs.flatMap((run) => run.messages)
  const keys = [...new Set(messages.map(rules.queueKey))]
  const fencing = fence(tx, runs)
  if (rules.isWork) {
    // Workers get everything through the queue.
    await Promise.all([fencing, ensureParkedKeys(tx, rules, keys, 0), insertParked(tx, rules, messages)])
    return []
  }
  const [parked] = await Promise.all([lockParkedKeys(tx, rules, keys), fencing])
  for (const { lane } of runs) lane.cautious = parked.size > 0 ? cautiousBatches : Math.max(0, lane.cautious - 1)
  if (parked.size === 0) return messages
  const waits = (message: Delivery) => parked.has(rules.queueKey(message))
  await insertParked(tx, rules, messages.filter(waits))
  return messages.filter((message) => !waits(message))
}

/** Moves lanes, and where their carriers are read on. Throws `FENCED` when one of them was taken over. */
async function fence(tx: Transaction, runs: readonly LaneRun[]): Promise<void> {
  const [held] = await Promise.all([moveLanes(tx, runs), keepPlaces(tx, runs)])
  if (!held && runs[0] !== undefined) throw fenced(runs[0].lane)
}

/** Parks the one message that failed, or declares it dead, in the transaction that moves the lane past it. */
async function setAside(needs: BatchNeeds, run: LaneRun, error: unknown): Promise<void> {
  const { rules, events, faults } = needs
  const [message] = run.messages
  if (message === undefined) return
  const { state, code, cause, keyState, waitMs } = rules.judge(error, 1)
  const key = rules.queueKey(message)
  run.lane.cautious = cautiousBatches
  await needs.database.inTransaction(async (tx) => {
    await fence(tx, [run])
    // A dead message whose key goes on needs no key row; all others make those behind them wait.
    if (keyState !== 'free') await ensureParkedKeys(tx, rules, [key], waitMs)
    await insertParked(tx, rules, [message], { state, attempts: 1, code, error: messageOf(cause) })
    if (keyState === 'blocked') await blockKey(tx, rules, key)
    await faults.at('park.before-commit')
  })
  await faults.at('park.after-commit')
  advance(run)
  if (state === 'dead') events.died?.(message, code)
  else events.failed?.(message, cause)
  if (state === 'queued') needs.onQueued(1)
}
