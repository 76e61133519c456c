import { requireText } from './keyvalue.ts'
import { localListeners } from './local-listeners.ts'
import { type PubSub, type PubSubOptions, requireChannel } from './pubsub.ts'

const payloadLimitBytes = 1_048_576

/** Pub/sub inside one process. Payloads have at most 1 MiB. */
export function memoryPubSub(options: PubSubOptions): PubSub {
  const listeners = localListeners(options)
  return {
    payloadLimitBytes,
    publish(channel, payload) {
      requireChannel(channel)
      requireText('payload', payload, payloadLimitBytes)
      listeners.deliver(channel, payload)
    },
    subscribe(channel, listener) {
      requireChannel(channel)
      return listeners.add(channel, listener)
    },
  }
}
