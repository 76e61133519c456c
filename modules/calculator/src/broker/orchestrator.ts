import type { Live } from '@headrace/live'
import type { CalculatorContext } from '../context.ts'
import { calculatorTopics } from '../contract.ts'
import type { TaskChanges } from '../orchestrator/task-changes.ts'
import type { ReadyBell } from '../ready-bell.ts'
import type { LeaseTimes } from '../store/tasks.ts'
import { expressionsHandler } from './expressions.ts'
import { startPublisher } from './publisher.ts'
import { resultsHandler } from './results.ts'

export interface BrokerOrchestratorNeeds {
  readonly live: Live
  readonly bell: ReadyBell
  readonly times: LeaseTimes
  readonly changes: TaskChanges
}

/** Feeds workers through the carrier in use and counts what they say there. */
export async function startBrokerOrchestrator(
  { settings, stations, onError }: CalculatorContext,
  { live, bell, times, changes }: BrokerOrchestratorNeeds,
): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const station = stations.calculator
  for (const topic of Object.values(calculatorTopics)) await station.produces(topic)
  const { log } = station
  stack.use(startPublisher({ log, live, bell, times, startMs: settings.TASK_START_MS, onError }))
  const onChanged = (tasks: Parameters<TaskChanges['add']>[0]) => {
    changes.add(tasks)
    bell.ring()
  }
  stack.use(
    await station.consume({
      group: 'calculator-results',
      topic: calculatorTopics.results,
      handle: resultsHandler({ live, times, onChanged }),
      afterDeath: 'flow',
    }),
  )
  const limitBytes = settings.EXPRESSION_LIMIT_BYTES
  stack.use(
    await station.consume({
      group: 'calculator-expressions',
      topic: calculatorTopics.tasks,
      handle: expressionsHandler({ live, limitBytes, onTasks: () => bell.ring() }),
      afterDeath: 'flow',
    }),
  )
  return stack.move()
}
