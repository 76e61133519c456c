import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from './client.ts'
import { inParallel } from './in-parallel.ts'
import type { LoadTestOptions } from './options.ts'
import { Progress } from './progress.ts'

export interface Audit {
  /** How many of the accepted messages were asked about, one by one. */
  readonly asked: number
  readonly processed: number
  /** Set aside with an error; visible and not lost. */
  readonly parked: readonly string[]
  /** Neither processed nor set aside when patience ended, or unknown. */
  readonly lost: readonly string[]
  /** Ids that were given out more than once. */
  readonly sameIds: number
  /** From the first question to the last answer that changed something, in ms. */
  readonly tookMs: number
}

/** Above this many messages a random sample of as many is asked about. */
const askAtMost = 10_000
const pauseMs = 100

/** Asks for the accepted messages until each is processed or set aside, or nothing moved for `patienceMs`. */
export async function audit(client: Client, ids: readonly string[], options: LoadTestOptions): Promise<Audit> {
  const unique = [...new Set(ids)]
  const asked = sample(unique, askAtMost)
  const parked: string[] = []
  const progress = new Progress('processed', asked.length)
  const startedAt = performance.now()
  let waiting = asked
  let movedAt = startedAt
  while (waiting.length > 0 && performance.now() - movedAt < options.patienceMs) {
    const still: string[] = []
    await inParallel(waiting.length, options.concurrency, async (index) => {
      const id = waiting[index] ?? ''
      const status = await statusOf(client, id)
      if (status === 'parked') parked.push(id)
      else if (status !== 'processed') still.push(id)
    })
    if (still.length < waiting.length) movedAt = performance.now()
    waiting = still
    progress.show(asked.length - waiting.length)
    if (waiting.length > 0) await delay(pauseMs)
  }
  return {
    asked: asked.length,
    processed: asked.length - waiting.length - parked.length,
    parked,
    lost: waiting,
    sameIds: ids.length - unique.length,
    tookMs: movedAt - startedAt,
  }
}

async function statusOf(client: Client, id: string): Promise<unknown> {
  // While the process is restarted nobody answers; patience covers that, too.
  const answer = await client.get(`/api/v1/messages/${id}`).catch(() => undefined)
  return answer?.status === 200 ? answer.body.status : undefined
}

/** At most `size` of the items, each as likely as any other; always the last ones, which are processed last. */
function sample(items: readonly string[], size: number): readonly string[] {
  if (items.length <= size) return items
  const last = items.slice(-Math.floor(size / 10))
  const rest = items.slice(0, -last.length)
  for (let at = 0; at < size - last.length; at += 1) {
    const other = at + Math.floor(Math.random() * (rest.length - at))
    const held = rest[at] ?? ''
    rest[at] = rest[other] ?? ''
    rest[other] = held
  }
  return [...rest.slice(0, size - last.length), ...last]
}
