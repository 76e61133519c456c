/** When messages in memory were accepted, so that they are found before they are processed: they stand in no log. */
export interface PendingMessages {
  add(messageId: string, acceptedAtMs: number): void
  acceptedAt(messageId: string): number | undefined
}

/**
 * Remembers the latest `limit` messages. Those that were processed are found elsewhere before they are looked for here,
 * so nobody needs to take them out.
 */
export function pendingMessages(limit: number): PendingMessages {
  const times = new Map<string, number>()
  return {
    add(messageId, acceptedAtMs) {
      times.set(messageId, acceptedAtMs)
      const [oldest] = times.keys()
      if (times.size > limit && oldest !== undefined) times.delete(oldest)
    },
    acceptedAt: (messageId) => times.get(messageId),
  }
}
