import type { PubSub } from '@headrace/keyvalue'

const channel = 'order-lookup.stored'

/** Tells the other replicas which orders have changed. Only a hint: what is lost costs at most the staleness bound. */
export interface Coherence {
  tell(ids: readonly string[]): void
  stop(): void
}

/** Joins the replicas of one database. */
export function coherence(pubsub: PubSub, onChanged: (ids: readonly string[]) => void): Coherence {
  const stop = pubsub.subscribe(channel, (payload) => onChanged(idsOf(payload)))
  return {
    tell(ids) {
      for (const payload of payloadsOf(ids, pubsub.payloadLimitBytes)) pubsub.publish(channel, payload)
    },
    stop,
  }
}

function idsOf(payload: string): string[] {
  // Written by `payloadsOf` only.
  return JSON.parse(payload) as string[]
}

/** Lists of ids as JSON, each within the limit. */
export function payloadsOf(ids: readonly string[], limitBytes: number): string[] {
  const payloads: string[] = []
  let part: string[] = []
  let bytes = 2
  for (const id of ids) {
    const size = Buffer.byteLength(JSON.stringify(id)) + 1
    if (part.length > 0 && bytes + size > limitBytes) {
      payloads.push(JSON.stringify(part))
      part = []
      bytes = 2
    }
    part.push(id)
    bytes += size
  }
  if (part.length > 0) payloads.push(JSON.stringify(part))
  return payloads
}
