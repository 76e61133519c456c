import type { Queryable } from '@headrace/database'
import type { Metrics } from '@headrace/runtime'
import { countByState } from '../store/tasks.ts'

/** Shows how many tasks are ready and running, over all processes. */
export function addTaskMetrics(metrics: Metrics, database: Queryable): void {
  metrics.gauge({
    name: 'headrace_calculator_tasks',
    help: 'Tasks of the calculator, by state: ready (wait for a worker), running (leased).',
    labels: ['state'],
    async collect(gauge) {
      const { ready, running } = await countByState(database)
      gauge.set({ state: 'ready' }, ready)
      gauge.set({ state: 'running' }, running)
    },
  })
}
