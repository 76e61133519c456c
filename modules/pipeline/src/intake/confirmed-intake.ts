import type { Database } from '@headrace/database'
import { answerKey } from '@headrace/http-kit'
import type { Log } from '@headrace/log'
import { type OnBackgroundError, PlatformError } from '@headrace/runtime'
import { type Message, partitionOf } from '@headrace/transport'
import type { LogPlace, LogQueue } from '../context.ts'
import type { Intake, IntakeItem } from './intake.ts'
import { asUnavailable } from './unavailable.ts'

export interface ConfirmedIntakeNeeds {
  readonly database: Database
  readonly log: Log
  readonly topic: string
  readonly queue: LogQueue
  readonly waitsFor: 'all' | 'any'
  /** Longest wait for the providers, in ms. */
  readonly timeoutMs: number
  readonly onError: OnBackgroundError
}

/**
 * Accepts through the log and waits until all or any of the providers have the messages. Refuses with
 * `QUEUE_UNAVAILABLE` while they are known to be away; past the time limit it is `OUTCOME_UNKNOWN`, names who does not
 * have the messages, and they are processed all the same. A repeated key then waits again, for the same messages.
 */
export function confirmedIntake(intake: Intake, needs: ConfirmedIntakeNeeds): Intake {
  const { database, log, topic, queue, waitsFor, timeoutMs, onError } = needs
  const { carriage } = queue

  async function take(item: IntakeItem): Promise<LogPlace[]> {
    const known = item.key?.isKnown ? await placesInLog(item.messages) : undefined
    if (known !== undefined) return known
    refuseWhileAway()
    const places: LogPlace[] = []
    const key = item.key && { ...item.key, answersLater: true }
    await intake.accept({ ...item, key, placed: (place) => places.push(place) })
    return places.length === item.messages.length ? places : headsOf(item.messages)
  }

  function refuseWhileAway(): void {
    const away = carriage.away(topic)
    const isRefused = waitsFor === 'all' ? away.length > 0 : away.length === carriage.inUse.length
    if (!isRefused) return
    const text = `${away.join(' and ')} cannot be reached: nothing was accepted`
    throw new PlatformError('QUEUE_UNAVAILABLE', text, { details: { providers: away } })
  }

  /** Where the messages of an earlier request with the same key are; undefined when they are not there. */
  async function placesInLog(messages: readonly Message[]): Promise<LogPlace[] | undefined> {
    const found = await Promise.all(messages.map(({ id }) => log.find(topic, id))).catch((error: unknown) => {
      throw asUnavailable(error)
    })
    const places = found.flatMap((record) =>
      record === undefined ? [] : [{ partition: record.partition, offset: record.position }],
    )
    return places.length === messages.length ? places : undefined
  }

  /** The answer to COMMIT was lost: the messages are somewhere in front of the heads. */
  async function headsOf(messages: readonly Message[]): Promise<LogPlace[]> {
    const touched = new Set(messages.map(({ key }) => partitionOf(key)))
    const heads = await log.heads(topic).catch((cause: unknown) => {
      throw outcomeUnknown(messages, ['postgres'], cause)
    })
    return heads
      .filter(({ partition }) => touched.has(partition))
      .map(({ partition, nextOffset }) => ({ partition, offset: nextOffset - 1 }))
  }

  async function requireConfirmed(messages: readonly Message[], places: readonly LogPlace[]): Promise<void> {
    const signal = AbortSignal.timeout(timeoutMs)
    const missing = await carriage.confirm(topic, places, { mode: waitsFor, signal })
    const most = waitsFor === 'all' ? 0 : carriage.inUse.length - 1
    if (missing.length > most) throw outcomeUnknown(messages, missing)
  }

  return {
    durability: intake.durability,
    async accept(item) {
      if (item.messages.length === 0) return intake.accept(item)
      const places = await take(item)
      await requireConfirmed(item.messages, places)
      if (item.key === undefined) return
      const { id, response } = item.key.record
      await answerKey(database, id, response).catch((error: unknown) => onError(error, 'answering a key'))
    },
    drain: () => intake.drain(),
  }
}

function outcomeUnknown(messages: readonly Message[], providers: readonly string[], cause?: unknown): PlatformError {
  const details = { messageId: messages[0]?.id, providers }
  const text = `${providers.join(' and ')} did not confirm in time; the message is recorded and will be processed`
  return new PlatformError('OUTCOME_UNKNOWN', text, { details, ...(cause !== undefined && { cause }) })
}
