import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CarriedMessage, LogRange, ReadableLog } from '@headrace/transport'
import { pacedLog } from '../src/paced-log.ts'

/** A log in which each read finds so many messages. */
function logWith(messagesPerRead: number): ReadableLog {
  const message: CarriedMessage = {
    id: 'm',
    key: 'k',
    type: 't',
    headers: {},
    body: Buffer.alloc(0),
    position: 1,
    at: 0,
  }
  return {
    id: 'log',
    read: async () => Array.from({ length: messagesPerRead }, () => message),
    firstOffset: async () => 1,
    available: async () => {},
    probe: async () => {},
  }
}

const range = (partition: number): LogRange => ({
  topic: 't',
  partition,
  from: 1,
  sinceMs: 0,
  maxMessages: 256,
  maxBytes: 1,
})

async function timesOf(log: ReadableLog, partitions: readonly number[]): Promise<number> {
  const startedAt = performance.now()
  for (const partition of partitions) await log.read(range(partition))
  return performance.now() - startedAt
}

describe('a paced log', () => {
  it('is read at once while few messages come', async () => {
    assert.ok((await timesOf(pacedLog(logWith(1)), [0, 1, 2, 0])) < 20)
  })

  it('lets the messages of a busy partition gather', async () => {
    const tookMs = await timesOf(pacedLog(logWith(1)), [0, 1, 2, 3, 0])
    assert.ok(tookMs >= 30, `the fifth read came after ${tookMs} ms`)
  })

  it('is read at once where it is behind', async () => {
    assert.ok((await timesOf(pacedLog(logWith(256)), [0, 0, 0, 0, 0, 0, 0, 0])) < 20)
  })

  it('is asked at once by those that find nothing', async () => {
    assert.ok((await timesOf(pacedLog(logWith(0)), [0, 0, 0, 0, 0, 0, 0, 0])) < 20)
  })
})
