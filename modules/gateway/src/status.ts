import type { App } from '@headrace/http-kit'
import {
  type IngestStats,
  ingestStatsShape,
  type ProcessorStats,
  processorStatsShape,
} from '@headrace/pipeline/contract'
import { type TSchema, Type } from 'typebox'
import { Check } from 'typebox/value'
import { type PartStatus, partStatus, type ReplicaReport, summed } from './domain/part-status.ts'
import { askReplica, type Replica, type Upstream } from './upstream.ts'

/** Longest time for a part to say how it is, in ms. */
const statusMs = 2_000

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

/** Asks a part of this process. */
export function askHere<Stats>(stats: () => Stats | Promise<Stats>): AskPart<Stats> {
  return async () => {
    try {
      return [{ kind: 'stats', stats: await stats() }]
    } catch {
      return [{ kind: 'unreachable', error: 'its database is not available' }]
    }
  }
}

/** Asks `GET /stats` of every replica elsewhere. */
export function askElsewhere<Stats>(upstream: Upstream, shape: TSchema): AskPart<Stats> {
  return () => Promise.all(upstream.inTurn().map((replica) => askStats<Stats>(replica, shape)))
}

async function askStats<Stats>(replica: Replica, shape: TSchema): Promise<ReplicaReport<Stats>> {
  const unreachable = (reason: string): ReplicaReport<Stats> => ({
    kind: 'unreachable',
    error: `${replica.url} ${reason}`,
  })
  try {
    const { status, body } = await askReplica(replica, { method: 'GET', path: '/stats', timeoutMs: statusMs })
    if (status !== 200) return unreachable(`answered ${status}`)
    const stats: unknown = JSON.parse(body.toString('utf8'))
    // Checked against the shape that belongs to the type.
    return Check(shape, stats) ? { kind: 'stats', stats: stats as Stats } : unreachable('answered something else')
  } catch {
    return unreachable('cannot be reached')
  }
}
