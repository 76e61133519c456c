import { setTimeout as delay } from 'node:timers/promises'
import type { Queryable } from '@headrace/database'
import { untilTrue } from '@headrace/database/testing'
import { ask, type TestCalculator } from './calculator.ts'

interface Task {
  readonly id: string
  readonly operation: '+' | '-' | '*' | '/'
  readonly arg1: number
  readonly arg2: number
  readonly lease: string
  readonly lease_ms: number
}

/** What a late answer says, so that it shows where it counts. */
export const wrong = 123_456_789

/** Workers that now and then die with their task, or are held still past their lease and then answer wrongly. */
export function startChaosWorkers(
  calculators: readonly TestCalculator[],
  { random, workers }: { random: () => number; workers: number },
): AsyncDisposable {
  const stopping = new AbortController()
  const late: Promise<unknown>[] = []
  const running = Array.from({ length: workers }, (_, index) => work(calculators[index % calculators.length]))

  async function work(calculator: TestCalculator | undefined): Promise<void> {
    if (calculator === undefined) return
    const url = `${calculator.internalUrl}/internal/task`
    while (!stopping.signal.aborted) {
      const { status, body } = await ask<{ tasks: Task[] }>(`${url}?max=3&wait=0.2`)
      if (status !== 200) continue
      for (const task of body.tasks) {
        const chance = random()
        await delay(random() < 0.2 ? 40 : 0)
        if (chance < 0.03) continue
        if (chance < 0.13) late.push(answerLate(calculator, task))
        else if (chance < 0.9) await ask(url, { body: { id: task.id, lease: task.lease, ...computed(task) } })
        // Some know nothing of leases.
        else await ask(url, { body: { id: task.id, ...computed(task) } })
      }
    }
  }

  /** Somebody else has it by then, or has finished it. A lease that is only over may still be this worker's. */
  async function answerLate({ station, internalUrl }: TestCalculator, { id, lease }: Task): Promise<void> {
    await untilTrue(
      'the lease is another worker’s, or nobody’s any more',
      () => isLost(station.database, id, lease),
      30_000,
    )
    await ask(`${internalUrl}/internal/task`, { body: { id, lease, result: wrong } })
  }

  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await Promise.allSettled([...running, ...late])
    },
  }
}

function computed({ operation, arg1, arg2 }: Task): object {
  if (operation === '/' && arg2 === 0) return { error: 'division by zero' }
  const result =
    operation === '+' ? arg1 + arg2 : operation === '-' ? arg1 - arg2 : operation === '*' ? arg1 * arg2 : arg1 / arg2
  return Number.isFinite(result) ? { result } : { error: 'result out of range' }
}

async function isLost(database: Queryable, id: string, lease: string): Promise<boolean> {
  const { rows } = await database.query<{ lease: string | null; status: string }>({
    text: 'select lease, status from calculator.task where id = $1',
    values: [id],
  })
  const [task] = rows
  if (task === undefined || !['running', 'ready'].includes(task.status)) return true
  return task.lease !== null && task.lease !== lease
}
