import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { childTrace, formatTraceparent, parseTraceparent } from '../src/index.ts'

const header = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

describe('trace context', () => {
  it('a header that is read and written stays the same', () => {
    const context = parseTraceparent(header)
    assert.ok(context)
    assert.equal(formatTraceparent(context), header)
  })

  it('a child stays in the trace with a span of its own', () => {
    const child = childTrace(parseTraceparent(header))
    assert.equal(child.traceId, '4bf92f3577b34da6a3ce929d0e0e4736')
    assert.match(child.spanId, /^[0-9a-f]{16}$/)
    assert.notEqual(child.spanId, '00f067aa0ba902b7')
    assert.equal(child.sampled, true)
  })

  it('a later version may carry more fields', () => {
    assert.equal(parseTraceparent(`cc${header.slice(2)}-what-next`)?.spanId, '00f067aa0ba902b7')
  })

  for (const bad of [
    undefined,
    7,
    '',
    'x',
    [header],
    header.toUpperCase(),
    `${header}-more`,
    `ff${header.slice(2)}`,
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`,
    '0'.repeat(9999),
  ]) {
    it(`ignores ${String(bad).slice(0, 60)} and begins a new trace`, () => {
      assert.equal(parseTraceparent(bad), undefined)
      assert.match(formatTraceparent(childTrace(parseTraceparent(bad))), /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
    })
  }
})
