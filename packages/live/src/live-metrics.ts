import type { Metrics } from '@headrace/runtime'

/** What is counted of streams. */
export interface LiveMetrics {
  opened(): void
  closed(): void
  slow(): void
}

/** The metrics of streams; several instances in a process count together. Nothing is counted without a registry. */
export function liveMetrics(metrics: Metrics | undefined): LiveMetrics {
  const open = metrics?.gauge({ name: 'headrace_live_connections', help: 'Open live streams.' })
  const cut = metrics?.counter({
    name: 'headrace_live_slow_readers_total',
    help: 'Live streams that were cut off because their client did not read.',
  })
  return { opened: () => open?.inc(), closed: () => open?.dec(), slow: () => cut?.inc() }
}
