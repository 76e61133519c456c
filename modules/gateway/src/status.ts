import type { App, Readiness } from '@headrace/http-kit'
import {
  type IngestStats,
  ingestStatsShape,
  type ProcessorStats,
  processorStatsShape,
} from '@headrace/pipeline/contract'
import { type TSchema, Type } from 'typebox'
import { Check } from 'typebox/value'
import { type PartStatus, partStatus, type ReplicaReport, summed } from './domain/part-status.ts'
import { askReplica, type Replica, type Upstream, type UpstreamAnswer } from './upstream.ts'

/** Longest time for a part to say how it is, in ms: longer than its readiness waits for what hangs, to name it. */
const statusMs = 3_000

/** Asks every replica of a part. */
export type AskPart<Stats> = () => Promise<readonly ReplicaReport<Stats>[]>

export interface StatusNeeds {
  readonly ingest: AskPart<IngestStats>
  readonly processor: AskPart<ProcessorStats>
}

/** Adds `GET /api/v1/status`. */
export function addStatusRoute(app: App, { ingest, processor }: StatusNeeds): void {
  const schema = {
    tags: ['pipeline'],
    summary: 'How ingest and processor are',
    response: { 200: Type.Object({ ingest: partShape(ingestStatsShape), processor: partShape(processorStatsShape) }) },
  }
  app.get('/api/v1/status', { config: { access: 'public' }, schema }, async () => {
    const [ingestReports, processorReports] = await Promise.all([ingest(), processor()])
    return {
      ingest: partStatus(ingestReports, summedIngest),
      processor: partStatus(processorReports, togetherProcessors),
    } satisfies { ingest: PartStatus<IngestStats>; processor: PartStatus<ProcessorStats> }
  })
}

function partShape<S extends TSchema>(stats: S) {
  return Type.Object({
    healthy: Type.Boolean(),
    stats: Type.Union([stats, Type.Null()]),
    error: Type.Optional(Type.String()),
  })
}

function summedIngest(all: readonly IngestStats[]): IngestStats {
  const counts = all.map(({ TotalReceived, TotalSent, TotalFailed }) => ({ TotalReceived, TotalSent, TotalFailed }))
  return summed(counts)
}

/** Replicas share a queue: each says how long it is; they asked at slightly different times. */
function togetherProcessors(all: readonly ProcessorStats[]): ProcessorStats {
  const pools = all.map(({ pool: { processed, errors, workers } }) => ({ processed, errors, workers }))
  return {
    queue: {
      size: Math.max(...all.map(({ queue }) => queue.size)),
      capacity: Math.max(...all.map(({ queue }) => queue.capacity)),
    },
    pool: summed(pools),
  }
}

/** Asks a part of this process. It is as well as the process: whoever accepts while the broker is away says so. */
export function askHere<Stats>(stats: () => Stats | Promise<Stats>, readiness: Readiness): AskPart<Stats> {
  return async () => {
    const [{ parts }, counted] = await Promise.all([readiness.check(), countedHere(stats)])
    const missing = missingOf(parts) ?? (counted.stats === undefined ? 'it could not be counted' : undefined)
    return [{ ...counted, ...(missing !== undefined && { error: missing }) }]
  }
}

async function countedHere<Stats>(stats: () => Stats | Promise<Stats>): Promise<ReplicaReport<Stats>> {
  try {
    return { stats: await stats() }
  } catch {
    return {}
  }
}

/** Asks `GET /stats` and `GET /ready` of every replica elsewhere. */
export function askElsewhere<Stats>(upstream: Upstream, shape: TSchema): AskPart<Stats> {
  return () => Promise.all(upstream.inTurn().map((replica) => askThere<Stats>(replica, shape)))
}

async function askThere<Stats>(replica: Replica, shape: TSchema): Promise<ReplicaReport<Stats>> {
  const saying = (reason: string) => ({ error: `${replica.url} ${reason}` })
  const ask = (path: string) => askReplica(replica, { method: 'GET', path, timeoutMs: statusMs })
  try {
    const [counted, ready] = await Promise.all([ask('/stats'), ask('/ready')])
    if (counted.status !== 200) return saying(`answered ${counted.status}`)
    const stats: unknown = JSON.parse(counted.body.toString('utf8'))
    if (!Check(shape, stats)) return saying('answered something else')
    // Checked against the shape that belongs to the type.
    return { stats: stats as Stats, ...(ready.status !== 200 && saying(`is not ready${whatIsMissing(ready)}`)) }
  } catch {
    return saying('cannot be reached')
  }
}

function whatIsMissing({ status, body }: UpstreamAnswer): string {
  if (status !== 503) return ''
  const said: unknown = JSON.parse(body.toString('utf8'))
  return Check(readinessShape, said) ? `: ${missingOf({ ...said, status: 'ok' })}` : ''
}

const readinessShape = Type.Record(Type.String(), Type.String())

/** The parts that are not well, and what is wrong with them; undefined when all are. */
function missingOf(parts: Readonly<Record<string, string>>): string | undefined {
  const missing = Object.entries(parts).flatMap(([name, said]) => (said === 'ok' ? [] : [`${name}: ${said}`]))
  return missing.length === 0 ? undefined : missing.join(', ')
}
