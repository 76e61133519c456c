import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from './client.ts'

/** What the processor says that it has done, and what still waits. */
export interface Counters {
  readonly processed: number
  readonly queued: number
}

/** Reads the processor's counters from the gateway's status; undefined where it does not show them. */
export async function readCounters(client: Client): Promise<Counters | undefined> {
  const { body } = await client.get('/api/v1/status')
  const processed = at(body, 'processor', 'stats', 'pool', 'processed')
  const queued = at(body, 'processor', 'stats', 'queue', 'size')
  return typeof processed === 'number' && typeof queued === 'number' ? { processed, queued } : undefined
}

/** Waits until nothing is queued any more, or what is queued did not change for `patienceMs`. */
export async function drained(client: Client, patienceMs: number): Promise<Counters | undefined> {
  let last = Number.NaN
  let movedAt = performance.now()
  while (true) {
    const counters = await readCounters(client).catch(() => undefined)
    if (counters?.queued === 0) return counters
    if (counters !== undefined && counters.queued !== last) movedAt = performance.now()
    if (performance.now() - movedAt > patienceMs) return counters
    last = counters?.queued ?? last
    await delay(100)
  }
}

function at(value: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[name] : undefined,
    value,
  )
}
