import { isUtf8 } from 'node:buffer'
import type { Database } from '@headrace/database'
import { listParked, type ParkedView, showParked } from '@headrace/inbox'
import type { Log } from '@headrace/log'
import type { MessageView } from './contract.ts'
import { stateOf } from './domain/message-status.ts'
import type { PendingMessages } from './pending-messages.ts'
import { findResult, type StoredResult } from './store/results.ts'
import { ownerHeader } from './wire/queue-message.ts'

export interface MessageViewNeeds {
  readonly database: Database
  readonly log: Log
  readonly pending: PendingMessages
  readonly topic: string
  readonly group: string
}

/** A message with whose it is: the UUID of the account whose token sent it. */
export interface OwnedMessage {
  readonly owner: string | undefined
  readonly view: MessageView
}

/**
 * What became of a message; undefined when nobody knows it (any more). A message moves from the log to the parked ones
 * or its result, and from there to its result, while we ask; asking for the result once more at the end finds it there.
 */
export async function viewMessage(needs: MessageViewNeeds, messageId: string): Promise<OwnedMessage | undefined> {
  const result = await findResult(needs.database, messageId)
  if (result !== undefined) return processedView(messageId, result)
  const waiting = await findWaiting(needs, messageId)
  const accepted = await findAccepted(needs, messageId, waiting)
  const late = await findResult(needs.database, messageId)
  if (late !== undefined) return processedView(messageId, late)
  if (accepted === undefined) return undefined
  const status = stateOf(waiting)
  const error = status === 'accepted' ? undefined : waiting?.error
  return {
    owner: accepted.owner,
    view: {
      messageId,
      status,
      attempts: waiting?.attempts ?? 0,
      ...(error ? { error } : {}),
      accepted_at: accepted.at.toISOString(),
    },
  }
}

function processedView(messageId: string, stored: StoredResult): OwnedMessage {
  const { result, attempts, accepted_at, processed_at, owner } = stored
  return {
    owner: owner ?? undefined,
    view: {
      messageId,
      status: 'processed',
      attempts,
      ...(isUtf8(result)
        ? { result: result.toString('utf8') }
        : { result: result.toString('base64'), encoding: 'base64' as const }),
      accepted_at: accepted_at.toISOString(),
      processed_at: processed_at.toISOString(),
    },
  }
}

async function findWaiting(
  { database, topic, group }: MessageViewNeeds,
  messageId: string,
): Promise<ParkedView | undefined> {
  const [waiting] = await listParked(database, { group, topic, messageId, untried: true, limit: 1 })
  return waiting
}

interface Accepted {
  readonly at: Date
  readonly owner: string | undefined
}

async function findAccepted(
  { database, log, topic, pending }: MessageViewNeeds,
  messageId: string,
  waiting: ParkedView | undefined,
): Promise<Accepted | undefined> {
  const record = await log.find(topic, messageId)
  if (record !== undefined) return { at: new Date(record.at), owner: record.headers[ownerHeader] }
  const remembered = pending.find(messageId)
  if (remembered !== undefined) return { at: new Date(remembered.acceptedAtMs), owner: remembered.owner }
  const parked = waiting && (await showParked(database, waiting.seq))
  return parked && { at: parked.parkedAt, owner: parked.headers[ownerHeader] }
}
