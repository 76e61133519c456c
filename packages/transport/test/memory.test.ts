import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type CarrierPosition,
  type MemoryTransport,
  type Message,
  memoryTransport,
  PublishError,
} from '../src/index.ts'

const topic = 'orders'
const message = (id: string, bytes = 10): Message => ({
  id,
  key: 'key',
  type: 'type',
  headers: {},
  body: Buffer.alloc(bytes),
})

/** Reads the first batch, and where to go on behind it. */
async function read(memory: MemoryTransport, group?: string): Promise<{ ids: string[]; next: CarrierPosition }> {
  const { signal } = new AbortController()
  const options = group === undefined ? { signal } : { signal, group }
  for await (const { incarnation, messages } of memory.read(topic, 0, { kind: 'beginning' }, options)) {
    const next = { incarnation, number: (messages.at(-1)?.position ?? 0) + 1 }
    return { ids: messages.map(({ id }) => id), next }
  }
  return assert.fail('the read ended')
}

describe('memoryTransport', () => {
  it('keeps everything while no group is known', async () => {
    await using memory = memoryTransport()
    await memory.publish(topic, 0, [message('a'), message('b')])
    await read(memory)
    assert.equal(memory.size().messages, 2)
    assert.deepEqual((await read(memory)).ids, ['a', 'b'])
  })

  it('frees what all known groups have passed, in number and bytes', async () => {
    await using memory = memoryTransport()
    await memory.publish(topic, 0, [message('a'), message('b')])
    const { next } = await read(memory, 'first')
    await read(memory, 'second')
    memory.passed('first', topic, 0, next)
    assert.equal(memory.size().messages, 2)
    memory.passed('second', topic, 0, { ...next, number: 2 })
    assert.deepEqual(memory.size(), { messages: 1, bytes: 18 })
    memory.passed('second', topic, 0, next)
    assert.deepEqual(memory.size(), { messages: 0, bytes: 0 })
  })

  it('knows a group for the whole topic once it has read one partition', async () => {
    await using memory = memoryTransport()
    await memory.publish(topic, 0, [message('a')])
    await memory.publish(topic, 1, [message('b')])
    const { next } = await read(memory, 'first')
    memory.read(topic, 2, { kind: 'beginning' }, { signal: AbortSignal.abort(), group: 'second' })
    memory.passed('first', topic, 0, next)
    memory.passed('first', topic, 1, next)
    assert.equal(memory.size().messages, 2)
  })

  it('frees what was kept for a group alone when the group is forgotten', async () => {
    await using memory = memoryTransport()
    await memory.publish(topic, 0, [message('a')])
    const { next } = await read(memory, 'stays')
    await read(memory, 'leaves')
    memory.passed('stays', topic, 0, next)
    memory.forget('leaves')
    assert.equal(memory.size().messages, 0)
  })

  it('ignores what a group says of another incarnation, of what it passed before, and of what is not there yet', async () => {
    await using memory = memoryTransport()
    await memory.publish(topic, 0, [message('a'), message('b')])
    const { next } = await read(memory, 'g')
    memory.passed('g', topic, 0, { incarnation: 'another', number: 3 })
    assert.equal(memory.size().messages, 2)
    memory.passed('g', topic, 0, { ...next, number: 2 })
    memory.passed('g', topic, 0, { ...next, number: 1 })
    assert.equal(memory.size().messages, 1)
    memory.passed('g', topic, 0, { ...next, number: 100 })
    await memory.publish(topic, 0, [message('c')])
    assert.deepEqual((await read(memory)).ids, ['c'])
  })

  it('bounds all topics and partitions together', async () => {
    await using memory = memoryTransport({ maxMessages: 2 })
    await memory.publish(topic, 0, [message('a')])
    await memory.publish('others', 1, [message('b')])
    await assert.rejects(memory.publish(topic, 5, [message('c')]), { code: 'QUEUE_FULL', outcome: 'refused' })
  })

  it('refuses with a code that says to a caller what became of the message', async () => {
    const memory = memoryTransport({ maxBytes: 100, messageLimitBytes: 60 })
    await assert.rejects(memory.publish(topic, 0, [message('a', 80)]), { code: 'MESSAGE_TOO_LARGE' })
    await memory.publish(topic, 0, [message('a', 50)])
    await assert.rejects(memory.publish(topic, 0, [message('b', 50)]), { code: 'QUEUE_FULL' })
    await memory.stop()
    await assert.rejects(memory.publish(topic, 0, [message('c', 1)]), (error) => {
      return error instanceof PublishError && error.code === 'QUEUE_UNAVAILABLE' && error.outcome === 'refused'
    })
  })

  it('is another incarnation each time', async () => {
    const incarnations = await Promise.all(
      [1, 2].map(async () => {
        await using memory = memoryTransport()
        await memory.publish(topic, 0, [message('a')])
        return (await read(memory)).next.incarnation
      }),
    )
    assert.notEqual(incarnations[0], incarnations[1])
  })

  it('names the option or argument that is out of range', async () => {
    assert.throws(() => memoryTransport({ maxMessages: 0 }), /maxMessages: 0/)
    assert.throws(() => memoryTransport({ maxBytes: 1.5 }), /maxBytes: 1.5/)
    await using memory = memoryTransport()
    await assert.rejects(memory.publish(topic, 16, [message('a')]), /partition: 16/)
  })
})
