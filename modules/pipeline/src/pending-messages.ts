/** What is remembered of an accepted message. */
export interface PendingMessage {
  /** Milliseconds since the epoch. */
  readonly acceptedAtMs: number
  /** Whose token sent it. */
  readonly owner: string | undefined
}

/** Messages in memory, so that they are found before they are processed: they stand in no log. */
export interface PendingMessages {
  add(messageId: string, message: PendingMessage): void
  find(messageId: string): PendingMessage | undefined
}

/**
 * Remembers the latest `limit` messages. Those that were processed are found elsewhere before they are looked for here,
 * so nobody needs to take them out.
 */
export function pendingMessages(limit: number): PendingMessages {
  const messages = new Map<string, PendingMessage>()
  return {
    add(messageId, message) {
      messages.set(messageId, message)
      const [oldest] = messages.keys()
      if (messages.size > limit && oldest !== undefined) messages.delete(oldest)
    },
    find: (messageId) => messages.get(messageId),
  }
}
