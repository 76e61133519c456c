import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gather } from '@headrace/database'
import { hasCode } from '@headrace/runtime'
import { logPartitions } from '@headrace/transport'
import type { NewMessage } from '../src/index.ts'
import { message, startLog } from './support/process.ts'
import { randomFrom, seeded } from './support/seed.ts'

describe('gathered appends', () => {
  it('stand in the log in the order of their submission, per partition, whatever fails between them', () =>
    seeded(async () => {
      await using test = await startLog()
      await test.log.declareTopic('t')
      const appends = gather<NewMessage>({
        database: test.log,
        maxItems: 20,
        write: (tx, messages) => {
          for (const each of messages) test.log.appendingTo(tx).append(each)
        },
      })
      const random = randomFrom(7)
      const submitted: string[] = []
      const outcomes: Promise<unknown>[] = []
      for (let n = 0; n < 400; n += 1) {
        const known = random() > 0.02
        const id = String(n)
        if (known) submitted.push(id)
        const done = appends.submit(message(known ? 't' : 'unknown', id, { key: `k${Math.floor(random() * 9)}` }))
        outcomes.push(known ? done : assert.rejects(done, (error) => hasCode(error, 'TOPIC_UNKNOWN')))
        if (random() < 0.1) await new Promise(setImmediate)
      }
      await Promise.all(outcomes)
      const found: string[] = []
      for (let partition = 0; partition < logPartitions; partition += 1) {
        const range = { topic: 't', partition, from: 1, sinceMs: 0, maxMessages: 1_000, maxBytes: 1_000_000 }
        const ids = (await test.log.read(range)).map(({ id }) => Number(id))
        assert.deepEqual(
          ids,
          ids.toSorted((a, b) => a - b),
        )
        found.push(...ids.map(String))
      }
      assert.deepEqual(found.sort(), submitted.sort())
    }))
})
