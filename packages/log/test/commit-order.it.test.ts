import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ProofOptions, proveCommitOrder } from './support/commit-order.ts'
import { appendAtOnce, headsInArrivalOrder, sequenceOffsets, timeOfBegin } from './support/log-mutants.ts'
import { seeded } from './support/seed.ts'

describe('readers of the log', () => {
  it('see a gapless prefix in commit order, also per key, under 32 writers with rollbacks', () =>
    seeded(async () => {
      const result = await proveCommitOrder({ transactions: 40 })
      assert.deepEqual(result.violations, [])
      assert(result.committed > 1_000, `only ${result.committed} messages were committed`)
      assert(result.rolledBack > 200, `only ${result.rolledBack} transactions were rolled back`)
    }))
})

const mutants: readonly { name: string; sees: RegExp; options: Omit<ProofOptions, 'transactions'> }[] = [
  { name: 'draws offsets from a sequence', sees: /a hole/, options: { prepare: sequenceOffsets } },
  { name: 'locks heads in the order of arrival', sees: /deadlock/, options: { prepare: headsInArrivalOrder } },
  { name: 'takes the time at which the transaction began', sees: /time goes back/, options: { prepare: timeOfBegin } },
  { name: 'appends before the rest of the transaction is done', sees: /deadlock/, options: { append: appendAtOnce } },
]

describe('the proof kills a log that', () => {
  for (const { name, sees, options } of mutants) {
    it(name, () =>
      seeded(async () => {
        const { violations } = await proveCommitOrder({ transactions: 200, ...options })
        assert.match(violations.join('\n'), sees)
      }),
    )
  }
})
