import assert from 'node:assert/strict'
import { it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { ask, ended, expressionOf, startCalculator, submit } from './support/calculator.ts'
import { startChild } from './support/child.ts'

const orchestratorOnly = 'calculator:orchestrator,calculator:api'
const slow = { TIME_ADDITION_MS: '600', TIME_MULTIPLICATIONS_MS: '600', TASK_LEASE_MS: '400', TASK_MAX_KILLS: '1000' }

interface Tasks {
  readonly tasks: { readonly operation: string; readonly status: string; readonly worker?: string }[]
}

async function tasksOf(publicUrl: string, id: number): Promise<Tasks['tasks']> {
  return (await ask<Tasks>(`${publicUrl}/api/v1/expressions/${id}/tasks`, { user: 1 })).body.tasks
}

function worker(orchestratorUrl: string, power = '2') {
  const env = { ORCHESTRATOR_URL: orchestratorUrl, COMPUTING_POWER: power }
  return startChild({ only: 'calculator:worker', env })
}

it('a worker that is killed in the middle of an operation costs time and nothing else', async () => {
  await using calculator = await startCalculator({ only: orchestratorOnly, env: slow })
  await using first = await worker(calculator.internalUrl)
  const id = await submit(calculator, '(1+2)*(3+4)')
  await untilTrue('both additions run', async () => {
    return (await tasksOf(calculator.publicUrl, id)).filter(({ status }) => status === 'running').length === 2
  })
  await first.kill()
  await using _second = await worker(calculator.internalUrl)
  const done = await ended(calculator, id, 1, 60_000)
  assert.deepEqual([done.status, done.result], ['done', 21])
})

it('a worker that is held still past its lease and goes on changes nothing', async () => {
  await using calculator = await startCalculator({ only: orchestratorOnly, env: slow })
  await using first = await worker(calculator.internalUrl)
  const id = await submit(calculator, '(1+2)*(3+4)')
  await untilTrue('an addition runs', async () => {
    return (await tasksOf(calculator.publicUrl, id)).some(({ status }) => status === 'running')
  })
  first.pause()
  await using _second = await worker(calculator.internalUrl)
  await untilTrue(
    'another worker has its tasks',
    async () => {
      return (await tasksOf(calculator.publicUrl, id)).some(({ status }) => status === 'done')
    },
    60_000,
  )
  first.resume()
  const done = await ended(calculator, id, 1, 60_000)
  assert.deepEqual([done.status, done.result], ['done', 21])
})

it('an orchestrator that is killed goes on where it was, and its worker finds it again', async () => {
  await using database = await startCalculator({ only: 'calculator:api' })
  const options = { url: database.url, only: orchestratorOnly, env: slow }
  await using first = await startChild(options)
  await using _worker = await worker(first.internalUrl)
  const id = await submit(first, '(1+2)*(3+4)*(5+6)')
  await untilTrue(
    'a task is done and another runs',
    async () => {
      const tasks = await tasksOf(database.publicUrl, id)
      return tasks.some(({ status }) => status === 'done') && tasks.some(({ status }) => status === 'running')
    },
    60_000,
  )
  await first.kill()
  assert.equal((await expressionOf(database, id)).status, 'computing')
  const internalPort = Number(new URL(first.internalUrl).port)
  await using _second = await startChild({ ...options, internalPort })
  const done = await ended(database, id, 1, 60_000)
  assert.deepEqual([done.status, done.result], ['done', 231])
})

it('a whole process that is killed after its answer has lost nothing', async () => {
  await using database = await startCalculator({ only: 'calculator:api' })
  const options = { url: database.url, env: slow }
  await using first = await startChild(options)
  const ids = await Promise.all(['(1+2)*(3+4)', '1+1', '42', '1/0'].map((text) => submit(first, text)))
  await first.kill()
  await using _second = await startChild(options)
  const ends = await Promise.all(ids.map((id) => ended(database, id, 1, 60_000)))
  assert.deepEqual(
    ends.map(({ result, error }) => result ?? error),
    [21, 2, 42, 'division by zero'],
  )
})

it('two workers in other processes share the work evenly', async () => {
  await using calculator = await startCalculator({ only: orchestratorOnly, env: { TIME_MULTIPLICATIONS_MS: '150' } })
  await using _first = await worker(calculator.internalUrl)
  await using _second = await worker(calculator.internalUrl)
  // Each has to be there before the work is.
  await Promise.all(['9*9', '8*8', '7*7', '6*6'].map(async (text) => ended(calculator, await submit(calculator, text))))
  const products = Array.from({ length: 40 }, (_, index) => `${index}*${index + 1}`)
  const id = await submit(calculator, products.join('+'))
  await ended(calculator, id, 1, 60_000)
  const tasks = await tasksOf(calculator.publicUrl, id)
  const shares = Map.groupBy(
    tasks.filter(({ operation }) => operation === '*'),
    (task) => task.worker ?? '',
  )
  const counts = [...shares.values()].map((tasks) => tasks.length)
  assert.equal(counts.length, 2)
  for (const count of counts) assert.ok(count >= 8, `${counts} is not even`)
})
