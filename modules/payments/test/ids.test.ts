import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { newIds, readUuid } from '../src/domain/ids.ts'

describe('an id', () => {
  it('is a UUID of version 7 that begins with the time, whatever bytes chance brings', () => {
    for (const byte of [0, 0xff, 0xa5]) {
      const id = newIds({ now: () => 0x0123456789ab, randomBytes: (count) => new Uint8Array(count).fill(byte) })()
      assert.match(id, /^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    }
  })

  it('is read in lower case, and only where it is one', () => {
    assert.equal(readUuid('0190A000-0000-7000-8000-000000000001'), '0190a000-0000-7000-8000-000000000001')
    for (const text of [
      '',
      'x',
      '0190a000',
      '0190a000-0000-7000-8000-00000000000g',
      ' 0190a000-0000-7000-8000-000000000001',
    ])
      assert.equal(readUuid(text), undefined, text)
    assert.equal(readUuid(5), undefined)
  })
})
