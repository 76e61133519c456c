import type { PubSubListener, PubSubOptions } from './pubsub.ts'

/** The subscriptions of this process. For drivers. */
export interface LocalListeners {
  /** Calls those who listen now at the end of this turn, unless they have ended by then. */
  deliver(channel: string, payload: string): void
  add(channel: string, listener: PubSubListener): () => void
}

/** No subscriptions yet; see `LocalListeners`. */
export function localListeners(options: PubSubOptions): LocalListeners {
  // Each subscription is a value of its own: the same function may subscribe twice.
  const channels = new Map<string, Set<{ readonly call: PubSubListener }>>()
  return {
    deliver(channel, payload) {
      const present = [...(channels.get(channel) ?? [])]
      if (present.length === 0) return
      queueMicrotask(() => {
        // Looked up one by one: a listener may end another's subscription.
        for (const subscription of present) if (channels.get(channel)?.has(subscription)) subscription.call(payload)
      })
    },
    add(channel, listener) {
      const subscription = { call: guarded(listener, options) }
      channels.set(channel, (channels.get(channel) ?? new Set()).add(subscription))
      return () => {
        const remaining = channels.get(channel)
        remaining?.delete(subscription)
        if (remaining?.size === 0) channels.delete(channel)
      }
    },
  }
}

/** The listener, with what it throws told to `onError`. */
export function guarded(listener: PubSubListener, { onError }: PubSubOptions): PubSubListener {
  return (payload) => {
    try {
      listener(payload)
    } catch (error) {
      onError(error)
    }
  }
}
