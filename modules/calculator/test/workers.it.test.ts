import assert from 'node:assert/strict'
import { it } from 'node:test'
import { openDatabase } from '@headrace/database'
import { untilTrue } from '@headrace/database/testing'
import type { WorkerTask } from '../src/contract.ts'
import { httpLink } from '../src/worker/http-link.ts'
import { type Answered, ask, ended, startCalculator, submit } from './support/calculator.ts'

const withoutWorkers = { only: 'calculator:orchestrator,calculator:api' }

function pull(internalUrl: string, query = '') {
  return ask<{ task: WorkerTask; tasks: WorkerTask[]; code?: string }>(`${internalUrl}/internal/task${query}`)
}

function answer(internalUrl: string, body: unknown) {
  return ask<{ code?: string; tasks?: unknown }>(`${internalUrl}/internal/task`, { body })
}

it('a worker that knows only id, arg and operation_time and posts id and result computes an expression', async () => {
  await using calculator = await startCalculator(withoutWorkers)
  const { internalUrl } = calculator
  assert.equal((await pull(internalUrl)).status, 404)
  const id = await submit(calculator, '(2+3)*-4-1')
  const seen: string[] = []
  for (let left = 3; left > 0; left -= 1) {
    const { status, body } = await pull(internalUrl)
    assert.equal(status, 200)
    const { task } = body
    seen.push(task.arg)
    const [left, right] = [task.arg1, task.arg2]
    const result = task.operation === '+' ? left + right : task.operation === '*' ? left * right : left - right
    assert.equal((await answer(internalUrl, { id: task.id, result })).status, 200)
  }
  assert.deepEqual(seen, ['2+3', '5*(-4)', '-20-1'])
  assert.equal((await pull(internalUrl)).status, 404)
  assert.equal((await ended(calculator, id)).result, -21)
})

it('a task has everything that a worker needs', async () => {
  await using calculator = await startCalculator({ ...withoutWorkers, env: { TIME_ADDITION_MS: '250' } })
  const id = await submit(calculator, '2+3')
  const { body } = await pull(calculator.internalUrl)
  const { id: taskId, lease, ...rest } = body.task
  assert.deepEqual(rest, { operation: '+', arg1: 2, arg2: 3, arg: '2+3', operation_time: 250, lease_ms: 10_250 })
  assert.match(taskId, /^[0-9a-f-]{14}7/)
  assert.match(lease, /^[0-9a-f-]{36}$/)
  const { body: shown } = await ask<{ tasks: { id: string; status: string; worker: string }[] }>(
    `${calculator.publicUrl}/api/v1/expressions/${id}/tasks`,
    { user: 1 },
  )
  assert.equal(shown.tasks[0]?.id, taskId)
  assert.equal(shown.tasks[0]?.status, 'running')
})

it('answers are told what they are worth: 404 unknown, 422 not a number, 409 finished or another’s, 200 repeated', async () => {
  await using calculator = await startCalculator(withoutWorkers)
  const { internalUrl } = calculator
  await submit(calculator, '1+2')
  const { task } = (await pull(internalUrl)).body
  const status = async (body: unknown) => (await answer(internalUrl, body)).status
  assert.equal(await status({ id: 'nothing', result: 1 }), 404)
  assert.equal(await status({ id: '01890000-0000-7000-8000-000000000000', result: 1 }), 404)
  assert.equal(await status({ result: 1 }), 400)
  for (const result of ['3', null, true, [3], undefined]) {
    assert.equal(await status({ id: task.id, result }), 422, String(result))
  }
  assert.equal(await status({ id: task.id, lease: '01890000-0000-7000-8000-000000000000', result: 3 }), 409)
  assert.equal(await status({ id: task.id, lease: 'another', result: 3 }), 409)
  assert.equal(await status({ id: task.id, lease: task.lease, result: 3 }), 200)
  assert.equal(await status({ id: task.id, lease: task.lease, result: 3 }), 200)
  assert.equal(await status({ id: task.id, lease: task.lease, result: 4 }), 409)
  assert.equal(await status({ id: task.id, result: 3 }), 409)
})

it('a request that waits is answered when there is a task, without asking again', async () => {
  await using calculator = await startCalculator(withoutWorkers)
  const waiting = pull(calculator.internalUrl, '?wait=30')
  await submit(calculator, '1+2')
  assert.equal((await waiting).body.task.arg, '1+2')
  const startedAt = performance.now()
  assert.equal((await pull(calculator.internalUrl, '?wait=0.2')).status, 404)
  assert.ok(performance.now() - startedAt >= 190)
})

it('a batch has at most as many tasks as asked for; two that wait share what there is', async () => {
  await using calculator = await startCalculator(withoutWorkers)
  const { internalUrl } = calculator
  await submit(calculator, '1+2+(3*4)+(5*6)+(7*8)+(9*10)')
  assert.equal((await pull(internalUrl, '?max=2')).body.tasks.length, 2)
  assert.equal((await pull(internalUrl, '?max=10')).body.tasks.length, 3)
  assert.equal((await pull(internalUrl, '?max=10')).status, 404)
  const both = [pull(internalUrl, '?max=8&wait=20&worker=a'), pull(internalUrl, '?max=8&wait=20&worker=b')]
  // Both have to wait before there is something.
  assert.equal((await pull(internalUrl, '?max=1&wait=0.3')).status, 404)
  await submit(calculator, '(1+2)*(3+4)*(5+6)*(7+8)')
  const [one, two] = await Promise.all(both)
  assert.deepEqual([one?.body.tasks.length, two?.body.tasks.length], [2, 2])
})

it('a request whose sender has gone, or wants no body, takes nothing with it', async () => {
  await using calculator = await startCalculator(withoutWorkers)
  const gone = new AbortController()
  const left = fetch(`${calculator.internalUrl}/internal/task?wait=30`, { signal: gone.signal }).catch(() => 'gone')
  assert.equal((await pull(calculator.internalUrl, '?wait=0.3')).status, 404)
  gone.abort()
  assert.equal(await left, 'gone')
  await submit(calculator, '1+2')
  assert.equal((await ask(`${calculator.internalUrl}/internal/task`, { method: 'HEAD' })).status, 405)
  assert.equal((await pull(calculator.internalUrl, '?wait=5')).body.task.arg, '1+2')
})

it('several answers in one request each have their own outcome', async () => {
  await using calculator = await startCalculator(withoutWorkers)
  const { internalUrl } = calculator
  const id = await submit(calculator, '1+2+3*4')
  const { tasks } = (await pull(internalUrl, '?max=5')).body
  const [first, second] = tasks
  assert.ok(first && second)
  const given = [
    { id: first.id, lease: first.lease, result: 3 },
    { id: first.id, lease: first.lease, result: 3 },
    { id: second.id, lease: second.lease, result: 'x' },
    { id: 'nothing', result: 1 },
  ]
  const { body } = await answer(internalUrl, { tasks: given })
  assert.deepEqual(body.tasks, [
    { id: first.id, status: 200 },
    { id: first.id, status: 200 },
    { id: second.id, status: 422 },
    { id: 'nothing', status: 404 },
  ])
  assert.equal((await answer(internalUrl, { id: second.id, error: 'worker on fire' })).status, 200)
  const failed = await ended(calculator, id)
  assert.deepEqual([failed.status, failed.error], ['failed', 'worker on fire'])
})

it('a worker that asks for more with its answers gets what they have made ready; who does not ask gets nothing', async () => {
  await using calculator = await startCalculator(withoutWorkers)
  const { internalUrl } = calculator
  const id = await submit(calculator, '(1+2)*3-4')
  const { tasks } = (await pull(internalUrl, '?max=1')).body
  let task = tasks[0]
  assert.ok(task)
  const seen: string[] = []
  for (const result of [3, 9, 5]) {
    seen.push(task.arg)
    const body = { tasks: [{ id: task.id, lease: task.lease, result }] }
    const told: Answered<{ tasks: unknown; next: WorkerTask[] }> = await ask(`${internalUrl}/internal/task?claim=2`, {
      body,
    })
    assert.deepEqual(told.body.tasks, [{ id: task.id, status: 200 }])
    task = told.body.next[0] ?? task
  }
  assert.deepEqual(seen, ['1+2', '3*3', '9-4'])
  assert.equal((await ended(calculator, id)).result, 5)
  await submit(calculator, '1+2+3')
  const first = (await pull(internalUrl)).body.task
  const { body } = await answer(internalUrl, { tasks: [{ id: first.id, lease: first.lease, result: 3 }] })
  assert.deepEqual(body, { tasks: [{ id: first.id, status: 200 }] })
  assert.equal((await pull(internalUrl)).body.task.arg, '3+3')
})

it('a worker can ask whether its tasks are still its own', async () => {
  await using calculator = await startCalculator(withoutWorkers)
  const { internalUrl } = calculator
  const id = await submit(calculator, '1+2+(3*4)')
  const { tasks } = (await pull(internalUrl, '?max=2')).body
  const held = (more: object = {}) =>
    ask<{ lost: string[] }>(`${internalUrl}/internal/task/held`, {
      body: { tasks: tasks.map(({ id, lease }) => ({ id, lease, ...more })) },
    })
  assert.deepEqual((await held()).body.lost, [])
  const other = { lease: '01890000-0000-7000-8000-000000000000' }
  assert.equal((await held(other)).body.lost.length, 2)
  await ask(`${calculator.publicUrl}/api/v1/expressions/${id}`, { user: 1, method: 'DELETE' })
  assert.deepEqual(new Set((await held()).body.lost), new Set(tasks.map(({ id }) => id)))
})

it('a worker of any COMPUTING_POWER hears of what it has lost', async () => {
  await using calculator = await startCalculator(withoutWorkers)
  const { internalUrl } = calculator
  const id = await submit(calculator, '1+2')
  const { task } = (await pull(internalUrl)).body
  await ask(`${calculator.publicUrl}/api/v1/expressions/${id}`, { user: 1, method: 'DELETE' })
  const link = httpLink({ url: internalUrl, worker: 'strong' })
  const others = Array.from({ length: 1023 }, () => ({ ...task, id: crypto.randomUUID() }))
  assert.deepEqual(await link.lost([...others, task]), [task])
  await link.close()
})

it('a division by zero is called so, whatever a worker calls it', async () => {
  await using calculator = await startCalculator(withoutWorkers)
  const id = await submit(calculator, '1/0')
  const { task } = (await pull(calculator.internalUrl)).body
  await answer(calculator.internalUrl, { id: task.id, error: 'ZeroDivisionError: float division by zero' })
  assert.equal((await ended(calculator, id)).error, 'division by zero')
})

it('an operation without a result ends its expression with the reason, also where its worker cannot say so', async () => {
  await using calculator = await startCalculator({ ...withoutWorkers, env: { TASK_LEASE_MS: '100' } })
  const expected = [
    ['1/0', 'division by zero'],
    [`1${'0'.repeat(308)}*-10`, 'result out of range'],
    [`-1${'0'.repeat(308)}/0.1`, 'result out of range'],
  ] as const
  for (const [text, reason] of expected) {
    const id = await submit(calculator, text)
    const { task } = (await pull(calculator.internalUrl, '?wait=30')).body
    // What JSON makes of a number that is not finite.
    assert.equal((await answer(calculator.internalUrl, { id: task.id, result: null })).status, 422)
    assert.equal((await ended(calculator, id)).error, reason)
  }
})

it('a lease that runs out gives the task to another, and the late answer changes nothing', async () => {
  await using calculator = await startCalculator({ ...withoutWorkers, env: { TASK_LEASE_MS: '2s' } })
  const { internalUrl } = calculator
  const id = await submit(calculator, '1+2')
  const first = (await pull(internalUrl)).body.task
  const second = (await pull(internalUrl, '?wait=30')).body.task
  assert.equal(second.id, first.id)
  assert.notEqual(second.lease, first.lease)
  assert.equal((await answer(internalUrl, { id: first.id, lease: first.lease, result: 99 })).status, 409)
  assert.equal((await answer(internalUrl, { id: first.id, lease: first.lease, error: 'late' })).status, 409)
  assert.equal((await answer(internalUrl, { id: second.id, lease: second.lease, result: 3 })).status, 200)
  assert.equal((await ended(calculator, id)).result, 3)
})

it('a task that costs TASK_MAX_KILLS workers fails its expression with the reason', async () => {
  await using calculator = await startCalculator({
    ...withoutWorkers,
    env: { TASK_LEASE_MS: '100', TASK_MAX_KILLS: '3' },
  })
  const id = await submit(calculator, '1+2+3')
  for (let worker = 1; worker <= 3; worker += 1) {
    assert.equal((await pull(calculator.internalUrl, '?wait=30')).status, 200)
  }
  const failed = await ended(calculator, id)
  assert.deepEqual([failed.status, failed.error], ['failed', 'gave up on 1+2: 3 of its workers died'])
  assert.equal((await pull(calculator.internalUrl, '?wait=1')).status, 404)
})

it('a task that is given back is ready at once and has cost nobody', async () => {
  await using calculator = await startCalculator({ ...withoutWorkers, env: { TASK_MAX_KILLS: '1' } })
  const { internalUrl } = calculator
  await submit(calculator, '1+2')
  const first = (await pull(internalUrl)).body.task
  await answer(internalUrl, { id: first.id, lease: first.lease, released: true })
  const second = (await pull(internalUrl, '?wait=5')).body.task
  assert.equal(second.id, first.id)
})

it('a cancelled expression takes its tasks from their workers', async () => {
  await using calculator = await startCalculator(withoutWorkers)
  const id = await submit(calculator, '1+2+(3*4)')
  const { task } = (await pull(calculator.internalUrl)).body
  await ask(`${calculator.publicUrl}/api/v1/expressions/${id}`, { user: 1, method: 'DELETE' })
  assert.equal((await answer(calculator.internalUrl, { id: task.id, lease: task.lease, result: 3 })).status, 409)
  assert.equal((await answer(calculator.internalUrl, { id: task.id, result: 3 })).status, 409)
  assert.equal((await pull(calculator.internalUrl)).status, 404)
})

it('while answers cannot be counted no task is leased to nobody; while tasks cannot be looked for that is said', async () => {
  const told: string[] = []
  await using calculator = await startCalculator({
    env: { TIME_ADDITION_MS: '10', TASK_LEASE_MS: '60s', COMPUTING_POWER: '1' },
    onError: (_, name) => told.push(name),
  })
  // Not under the module's role, which may not take functions away.
  await using database = openDatabase({ url: calculator.url, maxConnections: 1, onError: () => {} })
  const rename = (from: string, to: string) =>
    database.query({ text: `alter function calculator.${from} rename to ${to}` })
  await rename('answer_tasks', 'away')
  const ids = [await submit(calculator, '1+2'), await submit(calculator, '3+4')]
  await untilTrue('an answer was in vain', () => told.includes('calculator answers'))
  await rename('away', 'answer_tasks')
  for (const id of ids) assert.equal((await ended(calculator, id, 1, 30_000)).status, 'done')
  await rename('make_progress', 'away')
  assert.equal((await pull(calculator.internalUrl)).status, 500)
})

it('with INTERNAL_TOKEN only its bearers are workers', async () => {
  await using calculator = await startCalculator({ ...withoutWorkers, internalToken: 'sesame' })
  assert.equal((await pull(calculator.internalUrl)).status, 401)
  const headers = { authorization: 'Bearer sesame' }
  assert.equal((await ask(`${calculator.internalUrl}/internal/task`, { headers })).status, 404)
})

it('stopping answers workers that wait at once', async () => {
  const calculator = await startCalculator(withoutWorkers)
  const waiting = pull(calculator.internalUrl, '?wait=40')
  assert.equal((await pull(calculator.internalUrl, '?wait=0.2')).status, 404)
  const startedAt = performance.now()
  await calculator.stop()
  assert.equal((await waiting).status, 404)
  assert.ok(performance.now() - startedAt < 5_000)
})
