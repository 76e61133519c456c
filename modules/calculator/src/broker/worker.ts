import { gather } from '@headrace/database'
import type { Delivery, Effect, WorkContext } from '@headrace/inbox'
import type { NewMessage } from '@headrace/log'
import { type Running, sleep } from '@headrace/runtime'
import type { Station } from '@headrace/station'
import { calculatorTopics } from '../contract.ts'
import { compute } from '../domain/compute.ts'
import { lostTasks } from '../store/tasks.ts'
import { readWork, resultMessage, type WorkMessage } from './messages.ts'

export interface BrokerWorkerNeeds {
  readonly station: Station
  /** Shown with the tasks. */
  readonly worker: string
  /** Operations at a time. */
  readonly power: number
}

/** Longer than any operation: what takes too long loses its lease first. */
const workTimeoutMs = 25 * 3_600_000

/** Pause in ms between two looks whether a task is still ours. */
const lookMs = 1_000

/**
 * A worker that is fed by the carrier in use: says that it has started, spends the operation time, says the result. What
 * is still under way when it stops is given back.
 */
export async function startBrokerWorker({ station, worker, power }: BrokerWorkerNeeds): Promise<Running> {
  const { log, database } = station
  await station.produces(calculatorTopics.work)
  await station.produces(calculatorTopics.results)
  const said = gather<NewMessage>({
    database,
    write(tx, messages) {
      const appending = log.appendingTo(tx)
      for (const message of messages) appending.append(message)
    },
  })

  /** Where the tasks are in another database nothing is known to be lost, and what is computed in vain does not count. */
  const isLost = async ({ task_id: taskId, lease }: WorkMessage) =>
    (await lostTasks(database, [{ taskId, lease }])).length > 0

  /** Spends the time of an operation, unless the task was lost meanwhile or the worker stops. */
  async function spend(task: WorkMessage, signal: AbortSignal): Promise<'over' | 'lost' | 'stopped'> {
    const endAt = performance.now() + task.operation_time
    for (let leftMs = task.operation_time; leftMs > 0; leftMs = endAt - performance.now()) {
      await sleep(Math.min(leftMs, lookMs), signal)
      if (signal.aborted) return 'stopped'
      if (leftMs > lookMs && (await isLost(task))) return 'lost'
    }
    return 'over'
  }

  async function work(delivery: Delivery, { signal }: WorkContext): Promise<Effect | undefined> {
    const task = readWork(delivery)
    // It has waited too long, and was published again: computing all of them, workers would never catch up.
    if (await isLost(task)) return undefined
    await said.submit(resultMessage(task, { started: true, worker }))
    const end = await spend(task, signal)
    // Nobody waits for this work any more: an effect would not be recorded.
    if (end === 'stopped') await said.submit(resultMessage(task, { released: true }))
    if (end !== 'over') return undefined
    const outcome = compute(task.operation, task.arg1, task.arg2)
    const told = outcome.kind === 'value' ? { result: outcome.value } : { error: outcome.reason }
    return (tx) => tx.append(resultMessage(task, told))
  }

  const working = new Set<Promise<unknown>>()
  const consumer = await station.consume({
    group: 'calculator-workers',
    topic: calculatorTopics.work,
    order: 'none',
    work(delivery, context) {
      const done = work(delivery, context).finally(() => working.delete(done))
      working.add(done)
      return done
    },
    concurrency: power,
    workTimeoutMs,
    afterDeath: 'flow',
  })
  const stop = async () => {
    await consumer.stop()
    await Promise.allSettled(working)
  }
  return { stop, [Symbol.asyncDispose]: stop }
}
