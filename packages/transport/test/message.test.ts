import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { logPartitions, messageBytes, partitionOf } from '../src/index.ts'

describe('partitionOf', () => {
  it('puts a key where it was always put: CRC-32 of its UTF-8 bytes modulo the number of partitions', () => {
    const vectors: [key: string, crc32: number][] = [
      ['', 0x00000000],
      // The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
      ['123456789', 0xcbf43926],
      ['a', 0xe8b7be43],
      ['The quick brown fox jumps over the lazy dog', 0x414fa339],
      ['Grüße', 0xfbd37071],
      ['日本', 0xc7b7cdcc],
      ['🜁', 0x162640d6],
    ]
    for (const [key, crc32] of vectors) {
      for (const partitions of [1, 4, 16, 24]) assert.equal(partitionOf(key, partitions), crc32 % partitions, key)
      assert.equal(partitionOf(key), crc32 % 16, key)
    }
    assert.equal(logPartitions, 16)
  })

  it('spreads keys evenly', () => {
    const counts = new Array<number>(16).fill(0)
    for (let number = 0; number < 16_000; number += 1) {
      const partition = partitionOf(`user-${number}`)
      counts[partition] = (counts[partition] ?? 0) + 1
    }
    for (const count of counts) assert.ok(count > 850 && count < 1_150, counts.join())
  })
})

describe('messageBytes', () => {
  const plain = { id: 'id', key: 'key', type: 'type', headers: {}, body: Buffer.from('body') }

  it('counts id, key, type and body', () => {
    assert.equal(messageBytes(plain), 2 + 3 + 4 + 4)
  })

  it('counts text as UTF-8, and each header with its name and four bytes more', () => {
    assert.equal(messageBytes({ ...plain, key: 'Ä🜁' }), 2 + 6 + 4 + 4)
    assert.equal(messageBytes({ ...plain, headers: { a: 'ä', name: '' } }), 13 + (1 + 2 + 4) + (4 + 0 + 4))
  })

  it('counts the bytes that a view shows, not those of its buffer', () => {
    assert.equal(messageBytes({ ...plain, body: Buffer.alloc(1_000).subarray(10, 15) }), 9 + 5)
  })
})
