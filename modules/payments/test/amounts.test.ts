import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { amountLimitMinor, readAmount, wireAmount } from '../src/domain/amounts.ts'

describe('an amount', () => {
  it('of at most two decimals is read exactly', () => {
    for (const [value, minor] of [
      [5, 500],
      [0.01, 1],
      [0.1, 10],
      [10.1, 1010],
      [0.29, 29],
      [1.1, 110],
      [4.35, 435],
      [8.2, 820],
      [1_000_000, 100_000_000],
      [999_999.99, 99_999_999],
    ] as const) {
      assert.deepEqual(readAmount(value), { kind: 'amount', minor })
    }
  })

  it('is refused when it is none', () => {
    const values = [0, -0, -1, 0.001, 10.005, 0.1 + 0.2, 1e308, 1e-7, 5e-324, 1_000_000.01, Number.NaN]
    const others = [Number.POSITIVE_INFINITY, '5', '', null, undefined, true, [5], {}, 5n]
    for (const value of [...values, ...others]) assert.equal(readAmount(value).kind, 'refused', String(value))
  })

  it('comes back from the wire as it was, whatever it is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: amountLimitMinor }), (minor) => {
        const onWire: unknown = JSON.parse(JSON.stringify(wireAmount(minor)))
        assert.deepEqual(readAmount(onWire), { kind: 'amount', minor })
      }),
    )
  })

  it('with a third decimal is always refused', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99_999_999 }), fc.integer({ min: 1, max: 9 }), (minor, third) => {
        const text = `${Math.floor(minor / 100)}.${String(minor % 100).padStart(2, '0')}${third}`
        assert.equal(readAmount(Number(text)).kind, 'refused', text)
      }),
    )
  })
})
