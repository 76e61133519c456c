import type { PubSub } from '@headrace/keyvalue'

/** Between the orchestrators, which change tasks, and the processes that serve streams. */
const channel = 'calculator.tasks'

/** 37 bytes each: what every pub/sub carries in one message. */
const idsPerMessage = 200

/** Tells all processes that these tasks have changed. It may be lost: whoever needs them all reads them. */
export function tellChanged(pubsub: Pick<PubSub, 'publish'>, taskIds: readonly string[]): void {
  for (let at = 0; at < taskIds.length; at += idsPerMessage) {
    pubsub.publish(channel, taskIds.slice(at, at + idsPerMessage).join(' '))
  }
}

/** Calls the listener with the tasks that have changed; returns what ends it. */
export function hearChanged(pubsub: Pick<PubSub, 'subscribe'>, listener: (taskIds: string[]) => void): () => void {
  return pubsub.subscribe(channel, (message) => listener(message.split(' ')))
}
