import assert from 'node:assert/strict'
import { it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import type { Delivery } from '@headrace/inbox'
import { ask, ended, expressionOf, startCalculator, submit, type TestCalculator } from './support/calculator.ts'

const env = { CALCULATOR_WORKERS: 'broker' }

/** What a program that is not ours puts on a topic. */
function produce({ station }: TestCalculator, topic: string, key: string, body: unknown): Promise<void> {
  return station.log.inTransaction((tx) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    tx.append({ topic, id: crypto.randomUUID(), key, type: '', headers: {}, body: Buffer.from(text) })
  })
}

/** Takes what the orchestrator publishes, as a worker that is not ours. */
async function published(calculator: TestCalculator) {
  const tasks: Record<string, unknown>[] = []
  const handle = (_tx: unknown, messages: readonly Delivery[]) => {
    for (const { body } of messages) tasks.push(JSON.parse(Buffer.from(body).toString()) as Record<string, unknown>)
  }
  const consumer = await calculator.station.consume({ group: 'another', topic: 'calc.work', handle })
  return { tasks, [Symbol.asyncDispose]: () => consumer.stop() }
}

it('workers that are fed by the carrier compute what the API has accepted', async () => {
  await using calculator = await startCalculator({ env })
  const id = await submit(calculator, '-(1+2)*(3+4)-10/4')
  const done = await ended(calculator, id, 1, 60_000)
  assert.deepEqual([done.status, done.result], ['done', -23.5])
  const failed = await ended(calculator, await submit(calculator, '1/(1-1)'), 1, 60_000)
  assert.deepEqual([failed.status, failed.error], ['failed', 'division by zero'])
  const { body } = await ask<{ tasks: { worker?: string; started_at?: string }[] }>(
    `${calculator.publicUrl}/api/v1/expressions/${id}/tasks`,
    { user: 1 },
  )
  for (const task of body.tasks) assert.ok(task.worker && task.started_at)
})

it('a producer that is not ours gets a row for each message, also for what is no expression', async () => {
  await using calculator = await startCalculator({ env })
  await produce(calculator, 'calc.tasks', '7', { user_id: 7, expression: '2+2*2' })
  await produce(calculator, 'calc.tasks', '7', { user_id: 7, expression: '2+y' })
  await produce(calculator, 'calc.tasks', '7', { user_id: 7, expression: '-5' })
  await produce(calculator, 'calc.tasks', '7', 'no JSON')
  await produce(calculator, 'calc.tasks', '7', { user_id: 'x', expression: '1' })
  type Shown = { raw: string; status: string; result?: number; error?: string }
  let expressions: Shown[] = []
  await untilTrue(
    'all three have ended',
    async () => {
      const { body } = await ask<{ expressions: Shown[] }>(`${calculator.publicUrl}/api/v1/expressions`, { user: 7 })
      expressions = body.expressions
      return expressions.length === 3 && expressions.every(({ status }) => status === 'done' || status === 'failed')
    },
    60_000,
  )
  const seen = expressions.map(({ raw, result, error }) => ({ raw, end: result ?? error }))
  assert.deepEqual(
    seen.toSorted((a, b) => (a.raw < b.raw ? -1 : 1)),
    [
      { raw: '-5', end: -5 },
      { raw: '2+2*2', end: 6 },
      { raw: '2+y', end: 'expected number' },
    ],
  )
})

it('a task that nobody starts is published again under a new lease, and only that one counts', async () => {
  await using calculator = await startCalculator({
    env: { ...env, TASK_START_MS: '400', TASK_MAX_KILLS: '1' },
    only: 'calculator:orchestrator,calculator:api',
  })
  await using work = await published(calculator)
  const id = await submit(calculator, '1+2')
  await untilTrue('the task is published twice', () => work.tasks.length >= 2, 60_000)
  const [first, second] = work.tasks
  assert.equal(first?.['task_id'], second?.['task_id'])
  assert.notEqual(first?.['lease'], second?.['lease'])
  const told = ({ expr_id, task_id, lease }: Record<string, unknown> = {}, more: object) =>
    produce(calculator, 'calc.results', String(expr_id), { expr_id, task_id, lease, ...more })
  await told(first, { started: true })
  await told(first, { result: 99 })
  await untilTrue('it is published once more', () => work.tasks.length >= 3, 60_000)
  // Its lease may run out before we are heard: then there is another.
  await untilTrue(
    'an answer in time ends the expression',
    async () => {
      await told(work.tasks.at(-1), { started: true, worker: 'foreign' })
      await told(work.tasks.at(-1), { result: 3 })
      return (await expressionOf(calculator, id)).status !== 'computing'
    },
    60_000,
  )
  const done = await expressionOf(calculator, id)
  assert.deepEqual([done.status, done.result], ['done', 3])
})

it('what was started and not finished counts as a dead worker', async () => {
  await using calculator = await startCalculator({
    env: { ...env, TASK_LEASE_MS: '200', TASK_MAX_KILLS: '1' },
    only: 'calculator:orchestrator,calculator:api',
  })
  await using work = await published(calculator)
  const id = await submit(calculator, '1+2')
  await untilTrue('the task is published', () => work.tasks.length >= 1, 60_000)
  const { expr_id, task_id, lease } = work.tasks[0] ?? {}
  await produce(calculator, 'calc.results', String(expr_id), { expr_id, task_id, lease, started: true })
  const failed = await ended(calculator, id, 1, 60_000)
  assert.deepEqual([failed.status, failed.error], ['failed', 'gave up on 1+2: 1 of its workers died'])
})

it('a worker that stops gives back what it cannot finish, which costs nobody', async () => {
  const slow = { ...env, TIME_ADDITION_MS: '60s', TASK_MAX_KILLS: '1' }
  await using calculator = await startCalculator({ env: slow, only: 'calculator:orchestrator,calculator:api' })
  await using worker = await startCalculator({ url: calculator.url, env: slow, only: 'calculator:worker' })
  await using work = await published(calculator)
  const id = await submit(calculator, '1+2')
  await untilTrue('it has begun', async () => {
    const { body } = await ask<{ tasks: { started_at?: string }[] }>(
      `${calculator.publicUrl}/api/v1/expressions/${id}/tasks`,
      { user: 1 },
    )
    return body.tasks[0]?.started_at !== undefined
  })
  await worker.stop()
  await untilTrue('it is published again', () => work.tasks.length >= 2)
  const { expr_id, task_id, lease } = work.tasks[1] ?? {}
  await produce(calculator, 'calc.results', String(expr_id), { expr_id, task_id, lease, result: 3 })
  assert.equal((await ended(calculator, id)).result, 3)
})

it('a worker lets go of what was cancelled, and of what waited until it was published again', async () => {
  const slow = { TIME_ADDITION_MS: '60s', TASK_START_MS: '1s', COMPUTING_POWER: '1' }
  await using calculator = await startCalculator({ env: { ...env, ...slow } })
  const { publicUrl } = calculator
  const [running, waiting] = [await submit(calculator, '1+2'), await submit(calculator, '3+4')]
  await using work = await published(calculator)
  await untilTrue('one is published again', () => work.tasks.length >= 3, 60_000)
  for (const id of [running, waiting]) await ask(`${publicUrl}/api/v1/expressions/${id}`, { user: 1, method: 'DELETE' })
  assert.equal((await ended(calculator, await submit(calculator, '3*4'), 1, 50_000)).result, 12)
})
