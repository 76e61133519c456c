import { randomBytes } from 'node:crypto'
import { notifyLimitBytes, type WakeUps } from '@headrace/database'
import { requireText } from './keyvalue.ts'
import { guarded, localListeners } from './local-listeners.ts'
import { type PubSub, type PubSubOptions, requireChannel } from './pubsub.ts'

/** What this driver needs of the wake-up connection, which its owner stops. */
export type PubSubWakeUps = Pick<WakeUps, 'listen' | 'notify'>

/** Bytes of NOTIFY's payload that this driver keeps: 12 for the origin, up to 11 for the number, 1 between. */
const headBytes = 24

const payloadLimitBytes = notifyLimitBytes - headBytes

/**
 * Pub/sub between the processes of one database, over NOTIFY. This process's own subscriptions are served directly,
 * without the round trip, also while the connection is away. Payloads have at most 7 975 bytes.
 */
export function notifyPubSub(wakeUps: PubSubWakeUps, options: PubSubOptions): PubSub {
  const origin = randomBytes(9).toString('base64url')
  const own = localListeners(options)
  let published = 0
  return {
    payloadLimitBytes,
    publish(channel, payload) {
      requireChannel(channel)
      requireText('payload', payload, payloadLimitBytes)
      own.deliver(channel, payload)
      published += 1
      // The number keeps equal payloads apart: NOTIFY and the wake-ups send equal ones only once.
      wakeUps.notify(notifyChannel(channel), `${origin}${published.toString(36)} ${payload}`)
    },
    subscribe(channel, listener) {
      requireChannel(channel)
      const endOwn = own.add(channel, listener)
      const hear = guarded(listener, options)
      const endOthers = wakeUps.listen(notifyChannel(channel), (message) => {
        if (!message.startsWith(origin)) hear(message.slice(message.indexOf(' ') + 1))
      })
      return () => {
        endOwn()
        endOthers()
      }
    },
  }
}

/** At most 56 bytes; PostgreSQL cuts identifiers at 63. */
function notifyChannel(channel: string): string {
  return `headrace.pubsub.${channel}`
}
