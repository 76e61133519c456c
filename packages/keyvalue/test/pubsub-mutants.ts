import { memoryPubSub } from '../src/memory-pubsub.ts'
import type { PubSub, PubSubListener, PubSubOptions } from '../src/pubsub.ts'

/** A driver that breaks the promise of that name. */
export interface PubSubMutant {
  readonly kills: string
  make(options: PubSubOptions): PubSub
}

function mutant(kills: string, breaks: (pubsub: PubSub, options: PubSubOptions) => Partial<PubSub>): PubSubMutant {
  return {
    kills,
    make(options) {
      const pubsub = memoryPubSub(options)
      return { ...pubsub, ...breaks(pubsub, options) }
    },
  }
}

/** Delivers at once, to whoever is subscribed; breaks what `deliver` leaves out. */
function naive(deliver: (listeners: Iterable<PubSubListener>, payload: string) => void): Partial<PubSub> {
  const channels = new Map<string, Set<PubSubListener>>()
  return {
    publish: (channel, payload) => deliver(channels.get(channel) ?? [], payload),
    subscribe(channel, listener) {
      const listeners = channels.get(channel) ?? new Set()
      channels.set(channel, listeners.add(listener))
      return () => listeners.delete(listener)
    },
  }
}

function callAll(listeners: Iterable<PubSubListener>, payload: string): void {
  for (const listener of listeners) listener(payload)
}

export const pubSubMutants: readonly PubSubMutant[] = [
  mutant('each subscription gets each message once, in order, here and there', (pubsub) => ({
    publish(channel, payload) {
      pubsub.publish(channel, payload)
      if (payload === 'message 100') pubsub.publish(channel, payload)
    },
  })),
  mutant('each subscription gets each message once, in order, here and there', (pubsub) => ({
    publish(channel, payload) {
      if (payload === 'message 100') setImmediate(() => pubsub.publish(channel, payload))
      else pubsub.publish(channel, payload)
    },
  })),
  mutant('equal messages arrive as often as they were published', (pubsub) => {
    let last: string | undefined
    return {
      publish(channel, payload) {
        if (payload !== last) pubsub.publish(channel, payload)
        last = payload
      },
    }
  }),
  mutant('a message stays on its channel', (pubsub) => ({
    publish: (channel, payload) => pubsub.publish(channel.slice(0, 22), payload),
    subscribe: (channel, listener) => pubsub.subscribe(channel.slice(0, 22), listener),
  })),
  mutant('publish returns before any listener is called', () => naive(callAll)),
  mutant('an ended subscription is not called again, not even for what was on its way', () =>
    naive((listeners, payload) => {
      const present = [...listeners]
      queueMicrotask(() => callAll(present, payload))
    }),
  ),
  mutant('a subscription hears only what is published after it began', () =>
    naive((listeners, payload) => queueMicrotask(() => callAll(listeners, payload))),
  ),
  mutant('a subscription hears only what is published after it began', (pubsub) => {
    const last = new Map<string, string>()
    return {
      publish(channel, payload) {
        last.set(channel, payload)
        pubsub.publish(channel, payload)
      },
      subscribe(channel, listener) {
        const retained = last.get(channel)
        if (retained !== undefined) queueMicrotask(() => listener(retained))
        return pubsub.subscribe(channel, listener)
      },
    }
  }),
  mutant('a function that subscribes twice is called twice, and ends one by one', () =>
    naive((listeners, payload) => queueMicrotask(() => callAll(listeners, payload))),
  ),
  mutant('a listener that throws is told of and harms no other, here and there', (_, { onError }) =>
    naive((listeners, payload) => {
      const present = [...listeners]
      queueMicrotask(() => {
        try {
          callAll(present, payload)
        } catch (error) {
          onError(error)
        }
      })
    }),
  ),
  mutant('payloads arrive unchanged, from the empty one to the longest', (pubsub) => ({
    publish: (channel, payload) => pubsub.publish(channel, payload.replace(/^ /, '')),
  })),
  mutant('payloads arrive unchanged, from the empty one to the longest', (pubsub) => ({
    publish(channel, payload) {
      if (payload !== '') pubsub.publish(channel, payload)
    },
  })),
  mutant('a payload out of bounds is refused and harms no other', (pubsub) => ({
    publish: (channel, payload) => pubsub.publish(channel, payload.slice(0, pubsub.payloadLimitBytes - 1)),
  })),
  mutant('a payload out of bounds is refused and harms no other', (pubsub) => ({
    publish: (channel, payload) => pubsub.publish(channel, payload.toWellFormed().replaceAll('\0', '')),
  })),
  mutant('a channel out of bounds is refused', (pubsub) => ({
    publish: (channel, payload) => pubsub.publish(channel.toLowerCase(), payload),
    subscribe: (channel, listener) => pubsub.subscribe(channel.toLowerCase(), listener),
  })),
]
