import assert from 'node:assert/strict'
import { it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { startLive } from '@headrace/live'
import { tellChanged } from '../src/changed-tasks.ts'
import type { ExpressionView } from '../src/contract.ts'
import { ask, ended, startCalculator, submit } from './support/calculator.ts'

interface StreamEvent {
  readonly id: string | undefined
  readonly event: string
  readonly data: unknown
}

interface OpenStream extends AsyncDisposable {
  readonly status: number
  readonly events: StreamEvent[]
}

async function openStream(publicUrl: string, user: number, lastEventId?: string): Promise<OpenStream> {
  const closing = new AbortController()
  const response = await fetch(`${publicUrl}/api/v1/expressions/stream`, {
    headers: { authorization: `Bearer u${user}`, ...(lastEventId && { 'last-event-id': lastEventId }) },
    signal: closing.signal,
  })
  const events: StreamEvent[] = []
  const reading = read(response, events).catch(() => {})
  return {
    status: response.status,
    events,
    async [Symbol.asyncDispose]() {
      closing.abort()
      await reading
    },
  }
}

async function read(response: Response, events: StreamEvent[]): Promise<void> {
  let text = ''
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk
    const frames = text.split('\n\n')
    text = frames.pop() ?? ''
    for (const frame of frames) {
      const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, 'm').exec(frame)?.[1]
      const event = field('event')
      if (event !== undefined) events.push({ id: field('id'), event, data: JSON.parse(field('data') ?? 'null') })
    }
  }
}

const updates = ({ events }: OpenStream) => events.filter(({ event }) => event === 'expression-update')

const taskUpdates = ({ events }: OpenStream) => events.filter(({ event }) => event === 'task-update')

const doneTasks = (stream: OpenStream) =>
  new Set(
    taskUpdates(stream)
      .flatMap(({ data }) => (data as { tasks: { id: string; status: string }[] }).tasks)
      .filter(({ status }) => status === 'done')
      .map((task) => task.id),
  )

const lastTold = (stream: OpenStream) =>
  (taskUpdates(stream).at(-1)?.data as { tasks: { status: string }[] } | undefined)?.tasks[0]?.status

it('a stream tells each change of an expression once, numbered without holes, and of its tasks without numbers', async () => {
  await using calculator = await startCalculator({ env: { TIME_ADDITION_MS: '150' } })
  await using stream = await openStream(calculator.publicUrl, 1)
  await using other = await openStream(calculator.publicUrl, 2)
  const id = await submit(calculator, '(1+2)*(3+4)')
  await ended(calculator, id)
  await untilTrue('the end is told', () =>
    updates(stream).some(({ data }) => (data as ExpressionView).status === 'done'),
  )
  assert.deepEqual(
    updates(stream).map(({ id: position, data }) => [position, (data as ExpressionView).status]),
    [
      ['1', 'pending'],
      ['2', 'computing'],
      ['3', 'done'],
    ],
  )
  const last = updates(stream).at(-1)
  assert.ok(last)
  assert.equal((last.data as ExpressionView).result, 21)
  await untilTrue('tasks are told', () => taskUpdates(stream).length > 0)
  const [told] = taskUpdates(stream)
  assert.ok(told)
  assert.equal(told.id, undefined)
  const { expression_id, tasks } = told.data as { expression_id: number; tasks: { id: string; status: string }[] }
  assert.equal(expression_id, id)
  assert.ok(tasks.length > 0 && tasks.every((task) => task.id && task.status))
  assert.deepEqual(updates(other), [])
})

it('who comes back with the last id, on another replica, gets what was missed', async () => {
  await using one = await startCalculator()
  await using two = await startCalculator({ url: one.url, only: 'calculator:api' })
  const id = await submit(one, '1+2')
  await ended(one, id)
  await using stream = await openStream(two.publicUrl, 1, '1')
  await untilTrue('the end is told', () => updates(stream).length >= 2)
  assert.deepEqual(
    updates(stream).map(({ id: position }) => position),
    ['2', '3'],
  )
})

it('who comes back too late gets as many of the newest expressions as one event holds', async () => {
  await using calculator = await startCalculator({ only: 'calculator:api' })
  const longest = (number: number) => String(number).padEnd(65_000)
  const ids = await Promise.all(Array.from({ length: 20 }, (_, number) => submit(calculator, longest(number))))
  const { database, pubsub } = calculator.station
  await using _keepsNothing = startLive({ database, pubsub, onError: () => {} }, { retentionMs: 1, sweepMs: 10 })
  let reset: StreamEvent | undefined
  await untilTrue('a reset is told', async () => {
    await using stream = await openStream(calculator.publicUrl, 1, '1')
    await untilTrue('an event is told', () => stream.events.length > 1)
    reset = stream.events[1]
    return reset?.event === 'reset'
  })
  assert.ok(reset)
  assert.equal(reset.id, '20')
  const told = (reset.data as { expressions: ExpressionView[] }).expressions.map(({ id }) => id)
  assert.ok(told.length >= 15, `${told.length} are told`)
  assert.deepEqual(told, ids.toSorted((a, b) => b - a).slice(0, told.length))
})

it('every task is told until it is done, here and on another replica, at most ten times a second', async () => {
  await using calculator = await startCalculator()
  await using replica = await startCalculator({ url: calculator.url, only: 'calculator:api' })
  await using here = await openStream(calculator.publicUrl, 1)
  await using there = await openStream(replica.publicUrl, 1)
  const startedAt = performance.now()
  const additions = 1_500
  const id = await submit(calculator, `${'1+'.repeat(additions)}1`)
  await ended(calculator, id, 1, 60_000)
  for (const stream of [here, there]) {
    await untilTrue('the end of each task is told', () => doneTasks(stream).size === additions)
    const seconds = (performance.now() - startedAt) / 1000
    const told = taskUpdates(stream).length
    assert.ok(told <= seconds * 10 + 1, `${told} in ${seconds} s`)
  }
})

it('a task that comes back from its worker is told: its lease ran out, for the last time, or it was given back', async () => {
  await using calculator = await startCalculator({
    only: 'calculator:api,calculator:orchestrator',
    env: { TASK_LEASE_MS: '100', TASK_MAX_KILLS: '2', TIME_SUBTRACTION_MS: '60s' },
  })
  const url = `${calculator.internalUrl}/internal/task`
  await using stream = await openStream(calculator.publicUrl, 1)
  const taken = async () => (await ask<{ task: { id: string; lease: string } }>(`${url}?wait=30`)).body.task
  const told = async (status: string) => {
    await untilTrue(`the task is told to be ${status}`, () => lastTold(stream) === status)
    stream.events.length = 0
  }
  await submit(calculator, '1+2')
  await taken()
  await told('ready')
  await taken()
  await told('failed')
  await submit(calculator, '3-4')
  const { id, lease } = await taken()
  await told('running')
  await ask(url, { body: { id, lease, released: true } })
  await told('ready')
})

it('a result that thousands of tasks wait for is told to all of them, and keeps nobody else from being told', async () => {
  await using calculator = await startCalculator({ only: 'calculator:api' })
  const { database, pubsub } = calculator.station
  const waiters = 1_500
  const divisions = Array.from({ length: waiters }, (_, index) => `1/3/${index + 2}`)
  await submit(calculator, divisions.join('+'), 1)
  await submit(calculator, '1+2', 2)
  // Tasks as large as can be: together more than one event holds.
  await database.query({ text: "update calculator.task set status = 'done', worker = repeat(chr(1), 100)" })
  const { rows } = await database.query<{ id: string }>({
    text: 'select id from calculator.task where arg1 is not null and arg2 is not null order by expression_id',
  })
  await using stream = await openStream(calculator.publicUrl, 1)
  await using other = await openStream(calculator.publicUrl, 2)
  await untilTrue('both are connected', () => stream.events.length > 0 && other.events.length > 0)
  tellChanged(
    pubsub,
    rows.map(({ id }) => id),
  )
  await untilTrue('the other task is told', () => doneTasks(other).size === 1)
  await untilTrue('each task that waited is told', () => doneTasks(stream).size >= waiters + 1)
})
