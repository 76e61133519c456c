import type { Handle, Work } from '@headrace/inbox'
import type { Histogram, Metrics } from '@headrace/runtime'

/** Measures how long batches of the built-in processor keep the event loop. */
export function timedHandle(handle: Handle, metrics: Metrics): Handle {
  const durations = histogram(metrics)
  return (tx, deliveries) => {
    const startedAt = performance.now()
    const handling = handle(tx, deliveries)
    durations.observe({ kind: 'batch' }, (performance.now() - startedAt) / 1000)
    return handling
  }
}

/** Measures how long a registered function takes for a message. */
export function timedWork(work: Work, metrics: Metrics): Work {
  const durations = histogram(metrics)
  return async (delivery, context) => {
    const startedAt = performance.now()
    try {
      return await work(delivery, context)
    } finally {
      durations.observe({ kind: 'message' }, (performance.now() - startedAt) / 1000)
    }
  }
}

function histogram(metrics: Metrics): Histogram<'kind'> {
  return metrics.histogram({
    name: 'headrace_pipeline_handler_seconds',
    help: 'Time in the processor: for a batch of the built-in one, or a message of a registered function.',
    labels: ['kind'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
  })
}
