import { randomUUID } from 'node:crypto'
import type { Client } from './client.ts'
import { inParallel } from './in-parallel.ts'
import type { LoadTestOptions } from './options.ts'
import { Progress } from './progress.ts'

export interface Sent {
  /** Ids of what was accepted, in the order of the answers. */
  readonly ids: readonly string[]
  /** What was not, or may not have been, by reason. */
  readonly failures: ReadonlyMap<string, number>
  /** Of all answers, in ms, ascending. */
  readonly latenciesMs: Float64Array
  readonly tookMs: number
}

/** Sources of one run: messages of one source keep their order, so this is how many may be worked on side by side. */
const sources = 64

/** Sends the messages and collects what was answered. */
export async function send(client: Client, options: LoadTestOptions): Promise<Sent> {
  const run = randomUUID()
  const ids: string[] = []
  const failures = new Map<string, number>()
  const latenciesMs = new Float64Array(options.messages)
  const progress = new Progress('sending', options.messages)
  const startedAt = performance.now()
  let done = 0
  await inParallel(options.messages, options.concurrency, async (index) => {
    const sentAt = performance.now()
    const outcome = await sendOne(client, message(run, index, options.sizeBytes))
    latenciesMs[done++] = performance.now() - sentAt
    if ('id' in outcome) ids.push(outcome.id)
    else failures.set(outcome.failure, (failures.get(outcome.failure) ?? 0) + 1)
    progress.show(done)
  })
  return { ids, failures, latenciesMs: latenciesMs.sort(), tookMs: performance.now() - startedAt }
}

function message(run: string, index: number, sizeBytes: number): string {
  const data = `${run}/${index} `.padEnd(sizeBytes, '.')
  return JSON.stringify({ source: `load-test-${index % sources}`, data })
}

async function sendOne(client: Client, body: string): Promise<{ id: string } | { failure: string }> {
  try {
    const { status, body: answer } = await client.post('/api/v1/ingest', body)
    if (status === 200 && typeof answer.messageId === 'string') return { id: answer.messageId }
    return { failure: `${status} ${answer.code ?? 'without a code'}` }
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  }
}
