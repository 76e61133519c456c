import assert from 'node:assert/strict'
import { it } from 'node:test'
import { PlatformError } from '@headrace/runtime'
import { backgroundReports } from '../src/background-reports.ts'

it('what is away is told once in five seconds, however many meet it, and every other failure each time', ({ mock }) => {
  let nowMs = 0
  mock.method(performance, 'now', () => nowMs)
  const told: string[] = []
  const report = backgroundReports({ warn: (text) => void told.push(text) })
  for (nowMs = 0; nowMs < 10_000; nowMs += 500) {
    for (const partition of [1, 2])
      report(new PlatformError('QUEUE_UNAVAILABLE', 'no broker'), `reading t/${partition}`)
  }
  report(new PlatformError('QUEUE_UNAVAILABLE', 'no other broker'), 'reading t/1')
  for (let n = 0; n < 2; n += 1) report(new TypeError('a fault of ours'), 'sweep')
  assert.deepEqual(told, [
    'reading t/1 failed and is tried again: no broker',
    'reading t/1 failed and is tried again: no broker',
    'reading t/1 failed and is tried again: no other broker',
    'sweep failed and is tried again: a fault of ours',
    'sweep failed and is tried again: a fault of ours',
  ])
})
