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

/** A worker that is fed by the carrier in use: says that it has started, spends the operation time, says the result. */
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

  /** Spends the time of an operation; false when the task was lost meanwhile. */
  async function spend(task: WorkMessage, signal: AbortSignal): Promise<boolean> {
    const endAt = performance.now() + task.operation_time
    for (let leftMs = task.operation_time; leftMs > 0; leftMs = endAt - performance.now()) {
      await sleep(Math.min(leftMs, lookMs), signal)
      signal.throwIfAborted()
      if (leftMs > lookMs && (await isLost(task))) return false
    }
    return true
  }

  async function work(delivery: Delivery, { signal }: WorkContext): Promise<Effect | undefined> {
    const task = readWork(delivery)
    // It has waited too long, and was published again: computing all of them, workers would never catch up.
    if (await isLost(task)) return undefined
    await said.submit(resultMessage(task, { started: true, worker }))
    if (!(await spend(task, signal))) return undefined
    const outcome = compute(task.operation, task.arg1, task.arg2)
    const told = outcome.kind === 'value' ? { result: outcome.value } : { error: outcome.reason }
    return (tx) => tx.append(resultMessage(task, told))
  }

  return station.consume({
    group: 'calculator-workers',
    topic: calculatorTopics.work,
    order: 'none',
    work,
    concurrency: power,
    workTimeoutMs,
    afterDeath: 'flow',
  })
}
