import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openDatabase } from '@headrace/database'
import { testDatabase, untilTrue } from '@headrace/database/testing'
import { listParked, redriveParked } from '@headrace/inbox'
import { type Answer, get, post, type TestPlatform, testPlatform } from './support/platform.ts'

const processors = fileURLToPath(new URL('fixtures/processors.ts', import.meta.url))

for (const queueType of ['postgres', 'memory'] as const) {
  describe(`a registered function over ${queueType}`, { timeout: 240_000 }, () => {
    const stack = new AsyncDisposableStack()
    let running: TestPlatform
    let databaseUrl: string
    before(async () => {
      databaseUrl = stack.use(await testDatabase()).url
      const env = {
        DATABASE_URL: databaseUrl,
        QUEUE_TYPE: queueType,
        PROCESSOR_FUNCTION: processors,
        PROCESSOR_MAX_ATTEMPTS: '3',
        PROCESSOR_TIMEOUT_MS: '300',
      }
      running = stack.use(await testPlatform({ env }))
    })
    after(() => stack.disposeAsync())

    async function send(data: string, source = ''): Promise<string> {
      const { status, body } = await post(`${running.at('gateway')}/api/v1/ingest`, { source, data })
      assert.equal(status, 200)
      return String(body['messageId'])
    }

    async function until(status: string, messageId: string): Promise<Answer['body']> {
      let body: Answer['body'] = {}
      await untilTrue(`message ${messageId} is ${status}`, async () => {
        body = (await get(`${running.at('gateway')}/api/v1/messages/${messageId}`)).body
        return body['status'] === status
      })
      return body
    }

    it('makes the results', async () => {
      assert.equal((await until('processed', await send('hello'))).result, 'HELLO')
      const { result, encoding } = await until('processed', await send('bytes'))
      assert.deepEqual([result, encoding], [Buffer.of(255, 1).toString('base64'), 'base64'])
    })

    it('is tried again until it succeeds, and the attempts are told', async () => {
      assert.equal((await until('processed', await send('fail twice'))).attempts, 3)
    })

    it('that fails every time has its message parked with the error, and others of the source go on', async () => {
      const failing = await send('fail', 'one source')
      const behind = await send('fine', 'one source')
      const { attempts, error } = await until('parked', failing)
      assert.deepEqual([attempts, error], [3, 'the disk of the customer is full'])
      await until('processed', behind)
    })

    it('gets a parked message again when somebody sends it back', async () => {
      const failing = await send('fail', 'redriven')
      await until('parked', failing)
      await using database = openDatabase({ url: databaseUrl, maxConnections: 2 })
      const [parked] = await listParked(database, { messageId: failing })
      assert.ok(parked)
      await redriveParked(database, parked.seq)
      await untilTrue('it is tried again', async () => {
        const body = (await get(`${running.at('gateway')}/api/v1/messages/${failing}`)).body
        return body['status'] !== 'parked'
      })
      await until('parked', failing)
    })

    it('that returns neither text nor bytes has failed', async () => {
      assert.match(String((await until('parked', await send('nothing'))).error), /returned undefined/)
    })

    it('that takes longer than its time limit has failed', async () => {
      assert.match(String((await until('parked', await send('slow 5000'))).error), /300 ms/)
    })

    it('handles the messages of one source in order, and those of others meanwhile', async () => {
      const slow = await send('slow 200', 'in order')
      const behind = await send('quick', 'in order')
      const other = await send('quick', 'elsewhere')
      const times = await Promise.all(
        [slow, behind, other].map(async (id) => String((await until('processed', id)).processed_at)),
      )
      // Of whole milliseconds: the second may end in the same one.
      assert.ok(String(times[0]) <= String(times[1]), 'the second of a source came first')
      assert.ok(String(times[2]) < String(times[0]), 'another source waited')
    })

    it('takes a source that no index could hold', async () => {
      await until('processed', await send('long', 's'.repeat(50_000)))
    })

    it('leaves nothing in the queue', async () => {
      await untilTrue('the queue is empty', async () => {
        const { queue } = (await get(`${running.at('processor')}/stats`)).body as { queue: { size: number } }
        return queue.size === 0
      })
    })
  })
}

describe('PROCESSOR_FUNCTION', () => {
  for (const [path, problem] of [
    ['/does/not/exist.mjs', /exist\.mjs/],
    [fileURLToPath(new URL('fixtures/no-processor.ts', import.meta.url)), /exports a function processMessage/],
  ] as const) {
    it(`of '${path.split('/').at(-1)}' stops the start and says why`, async () => {
      await assert.rejects(testPlatform({ env: { PROCESSOR_FUNCTION: path } }), (error: Error) => {
        assert.match(error.message, /PROCESSOR_FUNCTION/)
        assert.match(error.message, problem)
        return true
      })
    })
  }
})
