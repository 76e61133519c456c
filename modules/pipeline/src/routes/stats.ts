import type { App } from '@headrace/http-kit'
import { Type } from 'typebox'
import type { IngestStats, ProcessorStats } from '../contract.ts'

const ingestStats = Type.Object({
  TotalReceived: Type.Integer(),
  TotalSent: Type.Integer(),
  TotalFailed: Type.Integer(),
})

const processorStats = Type.Object({
  queue: Type.Object({ size: Type.Integer(), capacity: Type.Integer() }),
  pool: Type.Object({ processed: Type.Integer(), errors: Type.Integer(), workers: Type.Integer() }),
})

const described = { tags: ['pipeline'], summary: 'Counts since the process started' }

/** Adds ingest's `GET /stats`. */
export function addIngestStats(app: App, stats: () => IngestStats): void {
  const schema = { ...described, response: { 200: ingestStats } }
  app.get('/stats', { config: { access: 'public' }, schema }, async () => stats())
}

/** Adds the processor's `GET /stats`. */
export function addProcessorStats(app: App, stats: () => Promise<ProcessorStats>): void {
  const schema = { ...described, response: { 200: processorStats } }
  app.get('/stats', { config: { access: 'public' }, schema }, () => stats())
}
