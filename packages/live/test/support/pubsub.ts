import { memoryPubSub, type PubSub } from '@headrace/keyvalue'

/** What becomes of a message: it arrives, is lost, or arrives after the next one. */
export type Fate = 'arrives' | 'lost' | 'late'

/** Pub/sub of which a test says what becomes of each message; they are numbered from 0. */
export function fatefulPubSub(fate: (message: number) => Fate, payloadLimitBytes = 7_975): PubSub {
  const pubsub = memoryPubSub({ onError: () => {} })
  let count = 0
  let held: (() => void) | undefined
  return {
    payloadLimitBytes,
    subscribe: (channel, listener) => pubsub.subscribe(channel, listener),
    publish(channel, payload) {
      const then = fate(count)
      count += 1
      if (then === 'lost') return
      const late = held
      held = undefined
      if (then === 'late') held = () => pubsub.publish(channel, payload)
      else pubsub.publish(channel, payload)
      late?.()
    },
  }
}
