import type { Metrics } from '@headrace/runtime'

/** Upper bounds, in requests. */
const bounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]

/** How many requests share a commit. */
export interface GatherSizes {
  observe(requests: number): void
}

/** Counts commits by the number of requests that they accept. */
export function gatherSizes(metrics: Metrics): GatherSizes {
  return metrics.histogram({
    name: 'headrace_pipeline_gathered_requests',
    help: 'Requests that were accepted by one commit.',
    buckets: bounds,
  })
}
