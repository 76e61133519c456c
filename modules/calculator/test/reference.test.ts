import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { calc } from '../src/contract.ts'
import { evaluate, meant, written } from './support/expressions.ts'

it('what is read from a text is what its author meant', () => {
  const blanks = fc.array(fc.constantFrom('', ' ', '\t', '\n '), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(meant, blanks, (expression, spaces) => {
      let next = 0
      const text = written(expression, () => spaces[next++ % spaces.length] ?? '')
      const expected = evaluate(expression)
      if ('value' in expected) return assert.equal(calc(text) + 0, expected.value + 0, text)
      assert.throws(
        () => calc(text),
        (error) => error instanceof RangeError && expected.reasons.has(error.message),
      )
    }),
    { numRuns: 500 },
  )
})
