import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Sequence } from '../src/sequence.ts'

const content = (seq: number) => ({ event: 'update', json: `{"n":${seq}}` })
const stored = (from: number, upTo: number) =>
  Array.from({ length: Math.max(0, upTo - from) }, (_, index) => ({
    seq: from + index + 1,
    ...content(from + index + 1),
  }))

function idsTaken(sequence: Sequence): number[] {
  return (sequence.take()?.parts ?? []).map(({ seq, frame }) => {
    if (seq > 0) assert.equal(frame.toString(), `id: ${seq}\nevent: update\ndata: {"n":${seq}}\n\n`)
    return seq
  })
}

describe('a sequence', () => {
  it('gives each event once and in order, whatever is heard of it, in whatever order, how often, with or without content', () => {
    const news = fc.record({ seq: fc.integer({ min: 1, max: 120 }), isWhole: fc.boolean(), isTaken: fc.boolean() })
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), fc.array(news, { maxLength: 200 }), (head, all) => {
        const sequence = new Sequence()
        const ids: number[] = []
        for (const [index, { seq, isWhole, isTaken }] of all.entries()) {
          if (index === 3) sequence.begin(head)
          sequence.hear(seq, isWhole ? content(seq) : undefined)
          if (isTaken) ids.push(...idsTaken(sequence))
        }
        if (all.length <= 3) sequence.begin(head)
        // What is missing is read, a page of five at a time.
        const last = Math.max(head, ...all.map(({ seq }) => seq))
        for (let after = sequence.missingAfter; after !== undefined; after = sequence.missingAfter) {
          sequence.fill(stored(after, Math.min(after + 5, last)))
        }
        ids.push(...idsTaken(sequence))
        assert.deepEqual(
          ids,
          stored(head, last).map(({ seq }) => seq),
        )
        assert.equal(sequence.position, last)
        assert.equal(sequence.sent, last)
      }),
    )
  })

  it('says where a batch begins, so that nobody gets one that does not follow what he has', () => {
    const sequence = new Sequence()
    sequence.begin(4)
    sequence.hear(5, content(5))
    sequence.hear(6, content(6))
    const batch = sequence.take()
    assert.deepEqual([batch?.from, batch?.upTo], [4, 6])
    sequence.hear(7, content(7))
    assert.deepEqual([sequence.take()?.from, sequence.take()], [6, undefined])
  })

  it('believes no number that the table does not know', () => {
    const sequence = new Sequence()
    sequence.begin(2)
    sequence.hear(1_000_000)
    assert.equal(sequence.missingAfter, 2)
    sequence.settle(2)
    assert.equal(sequence.missingAfter, undefined)
    sequence.hear(3, content(3))
    assert.deepEqual(idsTaken(sequence), [3])
  })

  it('passes over what is no longer kept, and begins the next batch behind it', () => {
    const sequence = new Sequence()
    sequence.begin(2)
    sequence.hear(9)
    sequence.settle(9)
    sequence.hear(10, content(10))
    assert.equal(sequence.take()?.from, 9)
  })

  it('keeps events without a number between those that have one', () => {
    const sequence = new Sequence()
    sequence.add({ event: 'note', json: '0' })
    sequence.begin(0)
    sequence.hear(1, content(1))
    sequence.add({ event: 'note', json: '1' })
    sequence.hear(2, content(2))
    const batch = sequence.take()
    assert.deepEqual(
      batch?.parts.map(({ seq }) => seq),
      [1, 0, 2],
    )
    assert.equal(batch?.parts[1]?.frame.toString(), 'event: note\ndata: 1\n\n')
  })
})
