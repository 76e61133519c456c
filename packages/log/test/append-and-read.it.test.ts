import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasCode } from '@headrace/runtime'
import { logPartitions, messageBytes, partitionOf } from '@headrace/transport'
import type { Log } from '../src/index.ts'
import { message, startLog, startProcess } from './support/process.ts'
import { randomFrom, seeded } from './support/seed.ts'

const all = { from: 1, sinceMs: 0, maxMessages: 10_000, maxBytes: 2 ** 30 }

async function idsOf(log: Log, topic: string): Promise<string[]> {
  const partitions = Array.from({ length: logPartitions }, (_, partition) => log.read({ topic, partition, ...all }))
  return (await Promise.all(partitions))
    .flat()
    .map(({ id }) => id)
    .sort()
}

describe('append', () => {
  it('keeps every part of a message as it is, read from the tail or from the database', async () => {
    await using writer = await startLog()
    await using reader = await startProcess(writer.url)
    await writer.log.declareTopic('t')
    const strange = ['', 'NULL', '{"a"}', `"quoted" \\ 'text', {x}`, 'naïve ☂ 🌂', '\u0001\t\n', '__proto__']
    const messages = strange.map((text, n) =>
      message('t', `${n} ${text}`, {
        key: text,
        type: text,
        // A header is one line.
        headers: { [`h-${n}`]: text.replaceAll('\n', ' '), ['__proto__x']: n === 1 ? '' : 'x' },
        body: Buffer.from([0, 255, n, 0, 39, 92]),
      }),
    )
    await writer.log.inTransaction((tx) => {
      for (const each of messages) tx.append(each)
    })
    for (const each of messages) {
      const range = { topic: 't', partition: partitionOf(each.key), ...all }
      const [near, far] = [await writer.log.read(range), await reader.log.read(range)]
      assert.deepEqual(near.map(plain), far.map(plain))
      const { id, key, type, headers, body } = far.find((record) => record.id === each.id) ?? assert.fail('not there')
      assert.deepEqual({ topic: 't', id, key, type, headers: { ...headers }, body: Buffer.from(body) }, each)
    }
  })

  it('gives the same kind of bytes from the tail and from the database', async () => {
    await using writer = await startLog()
    await using reader = await startProcess(writer.url)
    await writer.log.declareTopic('t')
    const body = new Uint8Array([104, 105])
    await writer.log.inTransaction((tx) => tx.append(message('t', 'm', { body })))
    const range = { topic: 't', partition: partitionOf('m'), ...all }
    const [near] = await writer.log.read(range)
    const [far] = await reader.log.read(range)
    assert.equal(String(near?.body), String(far?.body))
  })

  it('keeps what was appended although the caller uses its buffer again', async () => {
    await using test = await startLog()
    await test.log.declareTopic('t')
    const body = Buffer.from('first')
    await test.log.inTransaction((tx) => tx.append(message('t', 'm', { body })))
    body.fill('x')
    const [near] = await test.log.read({ topic: 't', partition: partitionOf('m'), ...all })
    assert.equal(Buffer.from(near?.body ?? []).toString(), 'first')
  })

  it('gives messages of one transaction their offsets in the order of the calls, for each partition', async () => {
    await using test = await startLog()
    await test.log.declareTopic('t')
    await test.log.declareTopic('u')
    await test.log.inTransaction((tx) => {
      for (let n = 0; n < 100; n += 1) tx.append(message(n % 2 === 0 ? 't' : 'u', `${n}`, { key: `k${n % 5}` }))
    })
    await using reader = await startProcess(test.url)
    for (let partition = 0; partition < logPartitions; partition += 1) {
      const records = await reader.log.read({ topic: 't', partition, ...all })
      assert.deepEqual(
        records.map(({ position }) => position),
        records.map((_, index) => index + 1),
      )
      const numbers = records.map(({ id }) => Number(id))
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => a - b),
      )
    }
  })

  it('refuses a message over the limit at once, headers included, and the transaction may go on without it', async () => {
    await using test = await startLog({ messageLimitBytes: 200 })
    await test.log.declareTopic('t')
    const fits = message('t', 'fits', {
      body: Buffer.alloc(200 - messageBytes(message('t', 'fits', { body: Buffer.alloc(0) }))),
    })
    const oversized = message('t', 'over', { headers: { long: 'x'.repeat(200) } })
    await test.log.inTransaction((tx) => {
      tx.append(fits)
      assert.throws(
        () => tx.append(oversized),
        (error) => hasCode(error, 'MESSAGE_TOO_LARGE'),
      )
    })
    await assert.rejects(
      test.log.inTransaction((tx) => {
        tx.append(message('t', 'rolled-back'))
        tx.append(oversized)
      }),
      (error) => hasCode(error, 'MESSAGE_TOO_LARGE'),
    )
    assert.deepEqual(await idsOf(test.log, 't'), ['fits'])
  })

  it('refuses at once what could not be stored and found again as it is', async () => {
    await using test = await startLog()
    await test.log.declareTopic('t')
    const malformed = [
      { key: 'a\0b' },
      { key: '\ud800' },
      { key: 'x'.repeat(1_025) },
      { key: 'ä'.repeat(513) },
      { id: 'a\0' },
      { id: 'x'.repeat(513) },
      { type: '\udc00' },
      { headers: { traceparent: 'a\r\nb' } },
      { headers: { note: 'a\0b' } },
      { headers: { 'Two words': 'a' } },
    ]
    await test.log.inTransaction((tx) => {
      for (const part of malformed) {
        assert.throws(
          () => tx.append(message('t', 'm', part)),
          (error) => hasCode(error, 'MESSAGE_MALFORMED'),
        )
      }
      tx.append(message('t', 'longest', { key: 'ä'.repeat(512) }))
    })
    assert.deepEqual(await idsOf(test.log, 't'), ['longest'])
  })

  it('to a topic that was never declared fails the transaction and rolls it back', async () => {
    await using test = await startLog()
    await test.log.declareTopic('t')
    await test.database.query({ text: 'create table note (n int)' })
    await assert.rejects(
      test.log.inTransaction((tx) => {
        void tx.query({ text: 'insert into note values (1)' })
        tx.append(message('t', 'one'))
        tx.append(message('never', 'two'))
      }),
      (error) => hasCode(error, 'TOPIC_UNKNOWN'),
    )
    assert.deepEqual(await idsOf(test.log, 't'), [])
    assert.equal((await test.database.query({ text: 'select from note' })).rowCount, 0)
    const heads = await test.log.heads('t')
    assert.deepEqual(new Set(heads.map(({ nextOffset }) => nextOffset)), new Set([1]))
  })
})

describe('read', () => {
  it('returns what the database holds, whoever appended it, under any mixture of local and foreign appends', () =>
    seeded(async () => {
      await using local = await startLog()
      await using foreign = await startProcess(local.url)
      await local.log.declareTopic('t')
      const random = randomFrom(1)
      const pick = (limit: number) => Math.floor(random() * limit)
      for (let round = 0; round < 150; round += 1) {
        const appends = Array.from({ length: 1 + pick(3) }, (_, n) =>
          (random() < 0.7 ? local : foreign).log.inTransaction((tx) => {
            for (let m = 0; m <= pick(4); m += 1) tx.append(message('t', `${round}-${n}-${m}`, { key: `k${pick(3)}` }))
          }),
        )
        await Promise.all(appends)
        const partition = partitionOf(`k${pick(3)}`)
        const range = {
          topic: 't',
          partition,
          from: 1 + pick(80),
          sinceMs: 0,
          maxMessages: 1 + pick(20),
          maxBytes: 1 + pick(100),
        }
        const [near, far] = [await local.log.read(range), await foreign.log.read(range)]
        const shared = Math.min(near.length, far.length)
        assert.deepEqual(near.slice(0, shared).map(plain), far.slice(0, shared).map(plain))
        assert.equal(near.length === 0, far.length === 0)
      }
    }))

  it('ends a batch at its bytes but always holds one message', async () => {
    await using writer = await startLog()
    await using reader = await startProcess(writer.url)
    await writer.log.declareTopic('t')
    const sizes = [10, 500, 10, 10, 2_000]
    await writer.log.inTransaction((tx) => {
      for (const [n, bytes] of sizes.entries()) {
        tx.append(message('t', `${n}`, { key: 'k', body: Buffer.alloc(bytes) }))
      }
    })
    for (const { log } of [writer, reader]) {
      const lengths: number[] = []
      for (let from = 1; from <= sizes.length; ) {
        const read = await log.read({
          topic: 't',
          partition: partitionOf('k'),
          from,
          sinceMs: 0,
          maxMessages: 3,
          maxBytes: 530,
        })
        lengths.push(read.length)
        from += read.length
      }
      assert.deepEqual(lengths, [2, 2, 1])
    }
  })

  it('sees messages although the clock was set back by hours', async () => {
    await using writer = await startLog()
    await using reader = await startProcess(writer.url)
    await writer.log.declareTopic('t')
    await writer.database.query({ text: `update headrace.log_head set last_at = now() + interval '3 hours'` })
    await writer.log.inTransaction((tx) => tx.append(message('t', 'm')))
    const partition = partitionOf('m')
    await reader.log.available('t', partition, 1, AbortSignal.timeout(30_000))
    const [read] = await reader.log.read({ topic: 't', partition, ...all })
    assert.equal(read?.id, 'm')
  })

  it('finds the first record with an id', async () => {
    await using test = await startLog()
    await test.log.declareTopic('t')
    await test.log.inTransaction((tx) => tx.append(message('t', 'm', { key: 'a' })))
    await test.log.inTransaction((tx) => tx.append(message('t', 'm', { key: 'b' })))
    assert.equal((await test.log.find('t', 'm'))?.key, 'a')
    assert.equal(await test.log.find('t', 'none'), undefined)
    assert.equal(await test.log.find('u', 'm'), undefined)
  })
})

function plain({ body, headers, ...rest }: { body: Uint8Array; headers: object }) {
  return { ...rest, headers: { ...headers }, body: [...body] }
}
