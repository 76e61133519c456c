import type { Running } from '@headrace/runtime'
import { startBrokerOrchestrator } from '../broker/orchestrator.ts'
import type { CalculatorContext } from '../context.ts'
import type { CalculatorSettings } from '../contract.ts'
import type { Parts } from '../parts.ts'
import type { LeaseTimes } from '../store/tasks.ts'
import { Dispatcher } from './dispatcher.ts'
import { Milestones } from './milestones.ts'
import { startReclaim } from './reclaim.ts'
import { startSweep } from './sweep.ts'
import { startTaskChanges } from './task-changes.ts'
import { addTaskMetrics } from './task-metrics.ts'
import { addTaskRoutes } from './task-routes.ts'

/** Starts the role that gives tasks to workers and counts their answers. */
export async function startOrchestrator(context: CalculatorContext, parts: Parts): Promise<Running> {
  await using stack = new AsyncDisposableStack()
  const { settings, stations, surfaces, onError } = context
  const { database, pubsub } = stations.calculator
  const { bell, mayBeWatched } = parts
  const live = stack.use(parts.startLive())
  const times = leaseTimes(settings)
  const changes = stack.use(startTaskChanges({ pubsub, mayBeWatched, onError }))
  stack.use(startReclaim({ database, live, bell, changes, maxKills: settings.TASK_MAX_KILLS, onError }))
  stack.use(startSweep({ database, keptMs: settings.TASK_RETENTION_MS, onError }))
  addTaskMetrics(context.metrics, database)
  if (settings.CALCULATOR_WORKERS === 'broker') {
    stack.use(await startBrokerOrchestrator(context, { live, bell, times, changes }))
  } else {
    const onChanged = changes.add
    const milestones = stack.use(new Milestones({ database, live, onError }))
    const dispatcher = stack.use(new Dispatcher({ database, milestones, bell, times, onError, onChanged }))
    addTaskRoutes(surfaces.internal, { dispatcher, isInstant: isInstant(times) })
    parts.dispatcher = { dispatcher, isInstant: isInstant(times) }
  }
  const running = stack.move()
  const stop = () => running.disposeAsync()
  return { stop, [Symbol.asyncDispose]: stop }
}

export function leaseTimes(settings: CalculatorSettings): LeaseTimes {
  return {
    leaseMs: settings.TASK_LEASE_MS,
    operationMs: {
      '+': settings.TIME_ADDITION_MS,
      '-': settings.TIME_SUBTRACTION_MS,
      '*': settings.TIME_MULTIPLICATIONS_MS,
      '/': settings.TIME_DIVISIONS_MS,
    },
  }
}

function isInstant({ operationMs }: LeaseTimes): boolean {
  return Object.values(operationMs).every((ms) => ms === 0)
}
