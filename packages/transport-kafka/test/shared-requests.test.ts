import assert from 'node:assert/strict'
import { it } from 'node:test'
import { MultipleErrors, ProtocolError } from '@platformatic/kafka'
import type { EncodedMessage } from '../src/records.ts'
import { SharedRequests } from '../src/shared-requests.ts'

const megabyte = 1024 * 1024

function message(partition: number, bytes = 10): EncodedMessage {
  return { topic: 'orders', partition, timestamp: 1n, value: Buffer.alloc(bytes) }
}

/** What is sent, as partitions of each request, and what each publish came to. */
async function sentFor(published: readonly EncodedMessage[][], refuse: (partitions: number[]) => unknown = () => {}) {
  const requests: number[][] = []
  const shared = new SharedRequests(async (messages) => {
    const partitions = messages.map(({ partition }) => partition)
    requests.push(partitions)
    const error = refuse(partitions)
    if (error !== undefined) throw error
  })
  const ends = await Promise.allSettled(published.map((messages) => shared.send(messages)))
  return { requests, ends: ends.map((end) => (end.status === 'rejected' ? end.reason : 'sent')) }
}

it('what is published in one turn is one request', async () => {
  const { requests, ends } = await sentFor([[message(1), message(1)], [message(2)], [message(3)]])
  assert.deepEqual(requests, [[1, 1, 2, 3]])
  assert.deepEqual(ends, ['sent', 'sent', 'sent'])
})

it('a partition stands in a request once, and a request has a bound', async () => {
  const { requests } = await sentFor([
    [message(1)],
    [message(1)],
    [message(2, 3 * megabyte)],
    [message(3, 2 * megabyte)],
  ])
  assert.deepEqual(requests, [
    [1, 2],
    [1, 3],
  ])
})

it('what the broker refuses holds up no other partition', async () => {
  const refusal = new ProtocolError('MESSAGE_TOO_LARGE')
  const { requests, ends } = await sentFor([[message(1)], [message(2)], [message(3)]], (partitions) =>
    partitions.includes(2) ? refusal : undefined,
  )
  assert.deepEqual(requests, [[1, 2, 3], [1], [2], [3]])
  assert.deepEqual(ends, ['sent', refusal, 'sent'])
})

it('what was written although the request failed is not sent again', async () => {
  const refusals = [new ProtocolError('MESSAGE_TOO_LARGE')]
  const written = { offsets: [{ topic: 'orders', partition: 1 }] }
  const { requests, ends } = await sentFor([[message(1)], [message(2)], [message(3)]], (partitions) =>
    partitions.length > 1 ? new MultipleErrors('failed', refusals, { produced: written }) : undefined,
  )
  assert.deepEqual(requests, [[1, 2, 3], [2], [3]])
  assert.deepEqual(ends, ['sent', 'sent', 'sent'])
})

it('a broker that is away fails all of them, once', async () => {
  const away = new Error('away')
  const { requests, ends } = await sentFor([[message(1)], [message(2)]], () => away)
  assert.deepEqual(requests, [[1, 2]])
  assert.deepEqual(ends, [away, away])
})
