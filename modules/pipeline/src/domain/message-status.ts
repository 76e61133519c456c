/** What became of a message, as its readers see it. */
export type MessageState = 'accepted' | 'processed' | 'failed' | 'parked'

/** A message that waits in the processor's queue, or was set aside. */
export interface WaitingMessage {
  /** `queued` (it will run), `dead` (it will not), or `blocked` (its key waits behind a dead message). */
  readonly state: 'queued' | 'dead' | 'blocked'
  readonly attempts: number
}

/** `failed` waits for its next attempt; `parked` waits for somebody. */
export function stateOf(waiting: WaitingMessage | undefined): MessageState {
  if (waiting === undefined) return 'accepted'
  if (waiting.state !== 'queued') return 'parked'
  return waiting.attempts === 0 ? 'accepted' : 'failed'
}
