import type { Module } from '@headrace/runtime'
import type { PipelineContext } from './context.ts'
import { startIngest } from './ingest.ts'
import { type PipelineParts, pipelineParts } from './parts.ts'
import { startProcessor } from './processor.ts'

export type { PipelineContext, PipelineQueue, PipelineSurfaces } from './context.ts'
export { pipelineMigrations } from './store/results.ts'

/** The pipeline. The processor starts before ingest, so that what is accepted is processed. */
export function pipelineModule(): Module<PipelineContext> {
  const perProcess = new WeakMap<PipelineContext, PipelineParts>()
  const parts = (context: PipelineContext) => {
    const known = perProcess.get(context) ?? pipelineParts(context)
    perProcess.set(context, known)
    return known
  }
  return {
    name: 'pipeline',
    roles: [
      { name: 'processor', start: (context) => startProcessor(context, parts(context)) },
      { name: 'ingest', start: (context) => startIngest(context, parts(context)) },
    ],
  }
}
