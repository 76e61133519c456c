import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type Message, partitionOf } from '../../message.ts'
import { PublishError } from '../../transport.ts'
import type { SuitePromise } from '../harness.ts'
import { assertIds, contentOf, idsOf, keyIn, messageOfBytes, numbered } from '../messages.ts'
import type { CarrierProof } from '../proof.ts'

const partition = 3
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

/** Envelopes at the edges of what a message may be. */
function envelopes(key: string): Message[] {
  const plain = { id: randomUUID(), key, type: 'suite.content', headers: {}, body: everyByte }
  return [
    plain,
    { ...plain, id: 'empty body', body: new Uint8Array() },
    { ...plain, id: 'view', body: new Uint8Array(everyByte.buffer, everyByte.byteOffset + 100, 50) },
    { ...plain, id: 'invalid UTF-8', body: Buffer.from('c328a0a1e28228fffe00', 'hex') },
    { ...plain, id: 'umlauts, 日本語, 🜁', type: 'suite.ünïcode', headers: { name: 'Grüße, 日本, 🜁', empty: '' } },
    { ...plain, id: 'signs', headers: { a: `"quoted" 'x' \\ {}[]%=;,`, tab: 'a\tb', 'x-long': 'y'.repeat(5_000) } },
    { ...plain, id: 'names', headers: { constructor: '1', tostring: '2', traceparent: '00-ab', 'ce-id': '3' } },
    { ...plain, id: 'many', headers: Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`h-${at}`, `${at}`])) },
  ]
}

/** Promises about what is inside a message. */
export const contentPromises: readonly SuitePromise<CarrierProof>[] = [
  {
    name: 'id, key, type, headers and binary bodies arrive unchanged, with the time at which they were taken',
    async prove(proof) {
      const messages = envelopes(keyIn(partition))
      const from = Date.now() - 1_000
      await proof.put(messages)
      const { messages: received } = await (await proof.reader({ partition })).until(messages.length)
      assert.deepEqual(received.map(contentOf), messages.map(contentOf))
      for (const { at } of received) assert.ok(at >= from && at <= Date.now() + 1_000, `taken at ${at}`)
    },
  },
  {
    name: 'keys of all kinds arrive unchanged',
    async prove(proof) {
      const keys = ['', ' ', 'Ärger', '日本', '🜁', 'a/b:c*d>e.f', '"', 'x'.repeat(500)]
      const user = await proof.connect()
      const messages = keys.map((key, at) => ({ id: `m${at}`, key, type: 'suite.keys', headers: {}, body: everyByte }))
      await proof.put(messages, user)
      const count = await user.partitions(proof.topic)
      const parts = Map.groupBy(messages, ({ key }) => partitionOf(key) % count)
      for (const [carried, part] of parts) {
        const reader = await (await proof.reader({ partition: carried }, user)).until(part.length)
        assert.deepEqual(reader.messages.map(contentOf), part.map(contentOf))
      }
    },
  },
  {
    name: 'a relayed message keeps its origin, and one of a foreign producer has none',
    needs: ['publish'],
    async prove(proof) {
      const user = await proof.connect()
      const [foreign, relayed] = numbered(keyIn(partition), 2)
      assert.ok(foreign && relayed)
      const origin = { log: randomUUID(), partition, offset: 9_007_199_254_740_000 }
      const carried = partition % (await user.partitions(proof.topic))
      await user.publish(proof.topic, carried, [foreign, { ...relayed, origin }])
      const { messages } = await (await proof.reader({ partition }, user)).until(2)
      assert.deepEqual(
        messages.map((message) => message.origin),
        [undefined, origin],
      )
      assert.deepEqual(messages.map(contentOf), [foreign, relayed].map(contentOf))
    },
  },
  {
    name: 'messages are bytes: whoever changes one afterwards changes it for nobody else',
    async prove(proof) {
      const body = Buffer.from('before')
      const headers: Record<string, string> = { name: 'before' }
      const [message] = numbered(keyIn(partition), 1)
      assert.ok(message)
      const user = await proof.connect()
      await proof.put([{ ...message, body, headers }], user)
      body.write('after!')
      headers.name = 'after'
      const { messages: first } = await (await proof.reader({ partition }, user)).until(1)
      assert.equal(Buffer.from(first[0]?.body ?? []).toString(), 'before')
      first[0]?.body.fill(0)
      const { messages: second } = await (await proof.reader({ partition }, user)).until(1)
      assert.equal(Buffer.from(second[0]?.body ?? []).toString(), 'before')
      assert.deepEqual({ ...second[0]?.headers }, { name: 'before' })
    },
  },
  {
    name: 'a message at the size limit arrives; one far above is refused with everything published beside it',
    async prove(proof) {
      const key = keyIn(partition)
      const atLimit = messageOfBytes(key, proof.limitBytes)
      const user = await proof.connect()
      await proof.put([atLimit], user)
      const above = [...numbered(key, 1, 2), messageOfBytes(key, proof.limitBytes * 2, 3), ...numbered(key, 1, 4)]
      const refused = await proof.put(above, user).then(
        () => assert.fail('a message of twice the limit was confirmed'),
        (error: unknown) => error,
      )
      if (refused instanceof PublishError) assert.equal(refused.outcome, 'refused')
      await proof.put(numbered(key, 1, 5), user)
      const reader = await proof.reader({ partition }, user)
      await reader.until(2)
      assertIds(idsOf(reader.messages), [`${key}#1`, `${key}#5`])
      assert.deepEqual(reader.messages.slice(0, 1).map(contentOf), [contentOf(atLimit)])
    },
  },
]
