import type { App } from '@headrace/http-kit'
import type { IngestStats, ProcessorStats } from '../contract.ts'
import { ingestStatsShape, processorStatsShape } from '../http-shapes.ts'

const described = { tags: ['pipeline'], summary: 'Counts since the process started' }

/** Adds ingest's `GET /stats`. */
export function addIngestStats(app: App, stats: () => IngestStats): void {
  const schema = { ...described, response: { 200: ingestStatsShape } }
  app.get('/stats', { config: { access: 'public' }, schema }, async () => stats())
}

/** Adds the processor's `GET /stats`. */
export function addProcessorStats(app: App, stats: () => Promise<ProcessorStats>): void {
  const schema = { ...described, response: { 200: processorStatsShape } }
  app.get('/stats', { config: { access: 'public' }, schema }, () => stats())
}
