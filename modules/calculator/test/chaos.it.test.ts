import assert from 'node:assert/strict'
import { it } from 'node:test'
import { openDatabase } from '@headrace/database'
import { untilTrue } from '@headrace/database/testing'
import fc from 'fast-check'
import type { ExpressionView } from '../src/contract.ts'
import { ask, startCalculator, submit, type TestCalculator } from './support/calculator.ts'
import { startChaosWorkers } from './support/chaos.ts'
import { type Expected, evaluate, meant, written } from './support/expressions.ts'

const seed = Number(process.env['HEADRACE_TEST_SEED'] ?? Date.now() % 1_000_000)
const users = [1, 2, 3]

interface Case {
  readonly id: number
  readonly user: number
  readonly text: string
  readonly expected: Expected
  readonly isCancelled: boolean
}

it(`each expression ends once with its value or reason, whatever becomes of its workers (seed ${seed})`, async () => {
  assert.deepEqual(await wrongEnds({ count: 30 }), [])
})

it(`answers that are not fenced by their lease are found (seed ${seed})`, async () => {
  const unfenced = (definition: string) =>
    definition
      .replace('and (a.lease is null or a.lease = t.lease) then', 'then')
      .replace("t.status = 'running'", "t.status in ('running', 'ready', 'waiting')")
  // So many that none of the late answers does harm once in ten thousand runs: half a dozen do in each.
  assert.notDeepEqual(await wrongEnds({ count: 120, mutate: unfenced }), [])
})

/** Computes random expressions with bad workers on two replicas; says what ended wrongly, twice or never. */
async function wrongEnds({
  count,
  mutate,
}: {
  count: number
  mutate?: (definition: string) => string
}): Promise<string[]> {
  const env = { TASK_LEASE_MS: '250', TASK_MAX_KILLS: '1000' }
  const only = 'calculator:orchestrator,calculator:api'
  await using one = await startCalculator({ env, only })
  await using two = await startCalculator({ env, only, url: one.url })
  if (mutate !== undefined) await mutated(one.url, mutate)
  const random = mulberry(seed)
  const expressions = fc.sample(meant, { seed, numRuns: count })
  const cases = await Promise.all(
    expressions.map(async (expression, index): Promise<Case> => {
      const user = users[index % users.length] ?? 1
      const text = written(expression)
      const calculator = index % 2 === 0 ? one : two
      const id = await submit(calculator, text, user)
      return { id, user, text, expected: evaluate(expression), isCancelled: index % 10 === 9 }
    }),
  )
  const workers = startChaosWorkers([one, two], { random, workers: 6 })
  for (const { id, user, isCancelled } of cases) {
    if (isCancelled) await ask(`${two.publicUrl}/api/v1/expressions/${id}`, { user, method: 'DELETE' })
  }
  const first = await allEnded(one, cases)
  // What comes late comes now.
  await workers[Symbol.asyncDispose]()
  const last = await allEnded(two, cases)
  const ids = cases.map(({ id }) => id).toSorted((a, b) => a - b)
  assert.deepEqual(
    [...last.keys()].toSorted((a, b) => a - b),
    ids,
    'every id that was answered has its row, and no other',
  )
  return cases.flatMap((one) => complaints(one, first.get(one.id), last.get(one.id)))
}

function complaints(
  { id, text, expected, isCancelled }: Case,
  first?: ExpressionView,
  last?: ExpressionView,
): string[] {
  const shown = `${id}: ${text.slice(0, 100)}: ${JSON.stringify(last?.result ?? last?.error)}`
  if (JSON.stringify(first) !== JSON.stringify(last)) return [`${shown} changed after its end`]
  if (isCancelled && last?.error === 'cancelled') return []
  const isRight = 'value' in expected ? last?.result === expected.value + 0 : expected.reasons.has(last?.error ?? '')
  return isRight ? [] : [`${shown} is wrong`]
}

async function allEnded(calculator: TestCalculator, cases: readonly Case[]): Promise<Map<number, ExpressionView>> {
  const seen = new Map<number, ExpressionView>()
  await untilTrue(
    `all ${cases.length} expressions have ended`,
    async () => {
      for (const user of users) {
        const url = `${calculator.publicUrl}/api/v1/expressions?limit=200`
        const { body } = await ask<{ expressions: ExpressionView[] }>(url, { user })
        for (const expression of body.expressions) seen.set(expression.id, expression)
      }
      return [...seen.values()].every(({ status }) => status === 'done' || status === 'failed')
    },
    90_000,
  )
  return seen
}

/** Replaces the functions that judge answers by broken ones. */
async function mutated(url: string, mutate: (definition: string) => string): Promise<void> {
  await using owner = openDatabase({ url, maxConnections: 1 })
  const { rows } = await owner.query<{ definition: string }>({
    text: `select pg_get_functiondef(oid) as definition from pg_proc
             where pronamespace = 'calculator'::regnamespace and proname in ('answer_tasks', 'make_progress')`,
  })
  assert.equal(rows.length, 2)
  for (const { definition } of rows) {
    const changed = mutate(definition)
    assert.notEqual(changed, definition, 'the mutant changes nothing')
    await owner.query({ text: changed })
  }
}

/** A small generator of random numbers (T. Ettinger), so that a seed repeats a run as far as timing lets it. */
function mulberry(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
