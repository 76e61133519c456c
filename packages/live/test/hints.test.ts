import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Hint, packHints, unpackHints } from '../src/hints.ts'

describe('hints', () => {
  const hint: fc.Arbitrary<Hint> = fc
    .tuple(fc.constantFrom('orders:1', 'orders:žluť', 's'), fc.integer({ min: 1, max: 1_000 }), fc.json())
    .map(([subject, seq, json]) => ({ subject, seq, content: { event: 'update', json: JSON.stringify(json) } }))

  it('come out of messages as they went in, in order, without their content where that does not fit', () => {
    fc.assert(
      fc.property(fc.array(hint, { maxLength: 40 }), fc.integer({ min: 40, max: 400 }), (hints, limitBytes) => {
        const messages = packHints(hints, limitBytes)
        for (const message of messages) assert.ok(Buffer.byteLength(message) <= limitBytes, 'a message is too long')
        const fits = ({ subject, seq, content }: Hint) =>
          Buffer.byteLength(`${subject}\n${seq}\n${content?.event}\n${content?.json}`) < limitBytes
        const expected = hints.map((each) => (fits(each) ? each : { ...each, content: undefined }))
        assert.deepEqual(messages.flatMap(unpackHints), expected)
      }),
    )
  })

  it('share messages', () => {
    const hints = Array.from({ length: 10 }, (_, index) => ({ subject: 's', seq: index + 1, content: undefined }))
    assert.equal(packHints(hints, 7_975).length, 1)
  })

  it('of messages that nobody sent are left out', () => {
    for (const bad of ['', 'x', 's\nx\ne\n1', 's\n-1\ne\n1', 's\n0\ne\n1', 's\n1.5\ne\n1', 's\n1\ne']) {
      assert.deepEqual(unpackHints(bad), [], bad)
    }
  })
})
