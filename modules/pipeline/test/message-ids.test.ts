import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { idAt, messageIds } from '../src/domain/message-ids.ts'

const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Random words that repeat: all zero, all one, and in between. */
function words(): (pool: Uint16Array) => void {
  let next = 1
  return (pool) => {
    for (let at = 0; at < pool.length; at += 1) {
      next = (next * 48_271) % 0x7fffffff
      pool[at] = next
    }
  }
}

describe('message ids', () => {
  it('are UUIDs of version 7 that begin with the time', () => {
    const newId = messageIds({ now: () => 0x0123456789ab, fill: words() })
    const id = newId()
    assert.match(id, uuidV7)
    assert.ok(id.startsWith('01234567-89ab-7'), id)
  })

  it('grow, also when more are made in a millisecond than the counter counts', () => {
    const newId = messageIds({ now: () => 1_000, fill: words() })
    const ids = Array.from({ length: 20_000 }, newId)
    assert.deepEqual(ids, ids.toSorted())
    assert.equal(new Set(ids).size, ids.length)
    for (const id of ids) assert.match(id, uuidV7)
  })

  it('grow when the clock goes back', () => {
    const times = [5_000, 4_000, 4_001, 5_001]
    const newId = messageIds({ now: () => times.shift() ?? 0, fill: words() })
    const ids = Array.from({ length: 4 }, newId)
    assert.deepEqual(ids, ids.toSorted())
  })

  it('of one request are different and always the same', () => {
    const first = '01a1fe25-169f-731c-8708-1f24c61f82d6'
    const ids = Array.from({ length: 1_000 }, (_, index) => idAt(first, index))
    assert.equal(ids[0], first)
    assert.equal(new Set(ids).size, ids.length)
    assert.deepEqual(
      ids,
      Array.from({ length: 1_000 }, (_, index) => idAt(first, index)),
    )
    for (const id of ids) assert.match(id, uuidV7)
  })
})
