import { gather } from '@headrace/database'
import type { Delivery, Effect, WorkContext } from '@headrace/inbox'
import type { NewMessage } from '@headrace/log'
import { type Running, sleep } from '@headrace/runtime'
import type { Station } from '@headrace/station'
import { calculatorTopics } from '../contract.ts'
import { compute } from '../domain/compute.ts'
import { readWork, resultMessage } from './messages.ts'

export interface BrokerWorkerNeeds {
  readonly station: Station
  /** Shown with the tasks. */
  readonly worker: string
  /** Operations at a time. */
  readonly power: number
}

/** Longer than any operation: what takes too long loses its lease first. */
const workTimeoutMs = 25 * 3_600_000

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

  async function work(delivery: Delivery, { signal }: WorkContext): Promise<Effect> {
    const task = readWork(delivery)
    await said.submit(resultMessage(task, { started: true, worker }))
    await sleep(task.operation_time, signal)
    signal.throwIfAborted()
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
