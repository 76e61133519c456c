import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { builtInProcessor } from '../src/domain/built-in-processor.ts'
import { base64Length, isBase64, orderingKey } from '../src/domain/data-message.ts'
import { stateOf } from '../src/domain/message-status.ts'
import { queueSize } from '../src/domain/queue-size.ts'

describe('the built-in processor', () => {
  it('puts PROCESSED_ before the payload, whatever its bytes', () => {
    assert.equal(Buffer.from(builtInProcessor(Buffer.from('hällo'))).toString(), 'PROCESSED_hällo')
    assert.deepEqual([...builtInProcessor(Uint8Array.of(0, 255))], [...Buffer.from('PROCESSED_'), 0, 255])
    assert.equal(Buffer.from(builtInProcessor(new Uint8Array(0))).toString(), 'PROCESSED_')
  })
})

describe('the key of a message', () => {
  const digest = (text: string) => `${text.length} characters`

  it('is its source', () => {
    assert.equal(orderingKey({ id: 'id', source: 'sensor-1' }, digest), 'sensor-1')
  })

  it('is its own id when it names no source, so that it waits for nobody', () => {
    assert.equal(orderingKey({ id: 'id', source: '' }, digest), 'id')
  })

  it('is a digest of a source that no index could hold', () => {
    assert.equal(orderingKey({ id: 'id', source: 's'.repeat(100_000) }, digest), 'digest:100000 characters')
    assert.equal(orderingKey({ id: 'id', source: 's'.repeat(256) }, digest), 's'.repeat(256))
  })
})

describe('base64', () => {
  it('is known by its alphabet, length and padding', () => {
    for (const text of ['', 'aGk=', 'aGVsbG8=', 'aGVs', 'aA==', '+/+/']) assert.ok(isBase64(text), text)
    for (const text of ['a', 'ab', 'abc', 'a===', 'aGk', 'aG k', 'aGk=\n', '-_-_', 'ä===', '===='])
      assert.ok(!isBase64(text), text)
  })

  it('of a megabyte is checked without a stack of a megabyte', () => {
    assert.ok(isBase64('aaaa'.repeat(300_000)))
    assert.ok(!isBase64(`${'aaaa'.repeat(300_000)}*aaa`))
  })

  it('has the length that was told', () => {
    for (const bytes of [0, 1, 2, 3, 4, 100]) {
      assert.equal(base64Length(bytes), Buffer.alloc(bytes).toString('base64').length)
    }
  })
})

describe('the state of a message', () => {
  it('is accepted until it was tried, failed while it waits for a retry, parked when somebody must decide', () => {
    assert.equal(stateOf(undefined), 'accepted')
    assert.equal(stateOf({ state: 'queued', attempts: 0 }), 'accepted')
    assert.equal(stateOf({ state: 'queued', attempts: 2 }), 'failed')
    assert.equal(stateOf({ state: 'dead', attempts: 10 }), 'parked')
    assert.equal(stateOf({ state: 'blocked', attempts: 0 }), 'parked')
  })
})

describe('the size of the queue', () => {
  it('is the last count and what changed since', () => {
    const size = queueSize()
    size.counting()(100)
    size.added(5)
    size.removed(2)
    assert.equal(size.value, 103)
  })

  it('keeps what changes while it is counted', () => {
    const size = queueSize()
    size.added(3)
    const done = size.counting()
    size.added(1)
    done(3)
    assert.equal(size.value, 4)
  })

  it('is not taken for less than it was counted, whatever is removed meanwhile', () => {
    const size = queueSize()
    const done = size.counting()
    size.removed(200)
    // The count was made after these had gone.
    done(300)
    assert.equal(size.value, 300)
    size.removed(1)
    assert.equal(size.value, 299)
  })

  it('is never below zero', () => {
    const size = queueSize()
    size.removed(5)
    assert.equal(size.value, 0)
  })
})
