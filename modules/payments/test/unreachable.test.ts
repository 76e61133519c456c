import assert from 'node:assert/strict'
import { it } from 'node:test'
import { unreachableReports } from '../src/unreachable.ts'

it('that payments cannot be asked is told once a second for each place, however many orders ask', ({ mock }) => {
  let nowMs = 0
  mock.method(performance, 'now', () => nowMs)
  const told: unknown[] = []
  const report = unreachableReports((error) => told.push(error))
  for (nowMs = 0; nowMs < 2_000; nowMs += 100) report('at a', new Error('refused'))
  report('at b', new Error('refused'))
  assert.deepEqual(told.map(String), [
    'Error: payments at a could not be asked: refused',
    'Error: payments at a could not be asked: refused',
    'Error: payments at b could not be asked: refused',
  ])
})
