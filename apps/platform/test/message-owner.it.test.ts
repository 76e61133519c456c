import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { testDatabase, untilTrue } from '@headrace/database/testing'
import { person, type TestPerson } from './support/people.ts'
import { get, post, type TestPlatform, testPlatform } from './support/platform.ts'

const failing = fileURLToPath(new URL('fixtures/processors.ts', import.meta.url))

async function sent(url: string, by: TestPerson | undefined, headers = {}): Promise<string> {
  const answer = await post(`${url}/api/v1/ingest`, { source: 's', data: 'fail' }, { ...by?.headers, ...headers })
  assert.equal(answer.status, 200)
  return String(answer.body['messageId'])
}

async function statusOf(url: string, messageId: string, by: TestPerson | undefined): Promise<string | number> {
  const { status, body } = await get(`${url}/api/v1/messages/${messageId}`, by?.headers)
  return status === 200 ? String(body['status']) : status
}

/** Ann's message is hers, nobody's is nobody's, in whatever state. */
async function seenBy(running: TestPlatform, state: string): Promise<void> {
  const url = running.at('gateway')
  const [ann, bob] = [await person(url), await person(url)]
  const [anns, nobodys] = [await sent(url, ann), await sent(url, undefined)]
  for (const id of [anns, nobodys]) {
    await untilTrue(`${id} is ${state}`, async () => (await statusOf(url, id, undefined)) === state, 60_000)
  }
  assert.equal(await statusOf(url, anns, ann), state)
  assert.deepEqual([await statusOf(url, anns, bob), await statusOf(url, nobodys, ann)], [404, 404])
  const older = running.at('ingest')
  assert.deepEqual([await statusOf(older, anns, ann), await statusOf(older, anns, bob)], [state, 404])
}

describe('a message belongs to the token that sent it', { timeout: 240_000 }, () => {
  for (const queueType of ['postgres', 'memory'] as const) {
    it(`once it is processed (${queueType})`, async () => {
      await using running = await testPlatform({ env: { QUEUE_TYPE: queueType } })
      await seenBy(running, 'processed')
    })

    it(`when it is set aside (${queueType})`, async () => {
      const env = { QUEUE_TYPE: queueType, PROCESSOR_FUNCTION: failing, PROCESSOR_MAX_ATTEMPTS: '1' }
      await using running = await testPlatform({ env })
      await seenBy(running, 'parked')
    })
  }

  it('while it waits in the log, or in the memory of another process', async () => {
    await using database = await testDatabase()
    const env = { DATABASE_URL: database.url }
    await using waiting = await testPlatform({ only: 'auth,pipeline:ingest,gateway', env })
    const url = waiting.at('gateway')
    const [ann, bob] = [await person(url), await person(url)]
    // Offered by ingest, which runs here; nothing processes it.
    const id = await sent(url, ann)
    assert.deepEqual([await statusOf(url, id, ann), await statusOf(url, id, bob)], ['accepted', 404])
  })

  it('when it is handed over to the memory of another process', async () => {
    await using database = await testDatabase()
    const env = { DATABASE_URL: database.url, QUEUE_TYPE: 'memory' }
    await using processor = await testPlatform({ only: 'pipeline:processor', env })
    const there = { ...env, PROCESSOR_URL: processor.at('processor') }
    await using ingest = await testPlatform({ only: 'auth,pipeline:ingest,gateway', env: there })
    const url = ingest.at('gateway')
    const [ann, bob] = [await person(url), await person(url)]
    const id = await sent(url, ann)
    const at = processor.at('processor')
    await untilTrue('it is processed', async () => (await statusOf(at, id, ann)) === 'processed', 60_000)
    assert.equal(await statusOf(at, id, bob), 404)
  })

  it('and so does an Idempotency-Key: another’s same key is another key', async () => {
    await using running = await testPlatform()
    const url = running.at('gateway')
    const [ann, bob] = [await person(url), await person(url)]
    const key = { 'idempotency-key': 'the-same' }
    const ids = [await sent(url, ann, key), await sent(url, bob, key), await sent(url, undefined, key)]
    assert.equal(new Set(ids).size, 3)
    assert.deepEqual([await sent(url, ann, key), await sent(url, bob, key), await sent(url, undefined, key)], ids)
  })
})
