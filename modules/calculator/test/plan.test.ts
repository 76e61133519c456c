import assert from 'node:assert/strict'
import { it } from 'node:test'
import { parse } from '../src/domain/parse.ts'
import { plan } from '../src/domain/plan.ts'

it('each step knows who waits for its result, and as which argument', () => {
  const { waiters } = plan(parse('(1+2)*(3+4)'))
  assert.deepEqual(waiters, [[4], [5], []])
})

it('a step that is both arguments of another has it twice among its waiters', () => {
  const { waiters } = plan(parse('(1+2)*(1+2)'))
  assert.deepEqual(waiters, [[2, 3], []])
})

it('the steps with the longest way to the root have their turn first', () => {
  // 9*9 is one step from the root; 1+2 three.
  const graph = parse('9*9-((1+2)+3)*4')
  const { turns } = plan(graph)
  const turnOf = (operation: string) => turns[graph.steps.findIndex((step) => step.operation === operation)] ?? -1
  assert.equal(turns[graph.steps.findIndex(({ left }) => left.kind === 'number' && left.value === 1)], 0)
  assert.ok(turnOf('-') === graph.steps.length - 1)
  assert.equal(new Set(turns).size, graph.steps.length)
})
