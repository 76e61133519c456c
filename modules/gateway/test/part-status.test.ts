import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { partStatus, summed } from '../src/domain/part-status.ts'

interface Counts extends Readonly<Record<string, number>> {
  readonly sent: number
}

const stats = (sent: number) => ({ stats: { sent } })
const unreachable = { error: 'http://a cannot be reached' }

describe('the status of a part', () => {
  it('is healthy with the sum of what its replicas count', () => {
    assert.deepEqual(partStatus<Counts>([stats(1), stats(2)], summed), { healthy: true, stats: { sent: 3 } })
  })

  it('has no stats and says why when nobody answers', () => {
    assert.deepEqual(partStatus<Counts>([unreachable], summed), {
      healthy: false,
      stats: null,
      error: unreachable.error,
    })
  })

  it('is not healthy when one replica does not answer, and shows what the others count', () => {
    const status = { healthy: false, stats: { sent: 2 }, error: unreachable.error }
    assert.deepEqual(partStatus<Counts>([stats(2), unreachable], summed), status)
  })
})
