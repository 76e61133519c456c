import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { type Answer, get, post, type TestPlatform, testPlatform } from './support/platform.ts'

const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

for (const [queueType, durability] of [
  ['postgres', 'disk'],
  ['memory', 'memory'],
] as const) {
  describe(`ingest over ${queueType}`, { timeout: 240_000 }, () => {
    let running: TestPlatform
    let url: string
    before(async () => {
      running = await testPlatform({ env: { QUEUE_TYPE: queueType } })
      url = `${running.at('gateway')}/api/v1/ingest`
    })
    after(() => running[Symbol.asyncDispose]())

    async function processed(messageId: unknown): Promise<Answer> {
      let answer: Answer | undefined
      await untilTrue(`message ${messageId} is processed`, async () => {
        answer = await get(`${running.at('gateway')}/api/v1/messages/${messageId}`)
        return answer.body['status'] === 'processed'
      })
      assert.ok(answer)
      return answer
    }

    it('accepts a message, says what that survives, and processes it', async () => {
      const accepted = await post(url, { source: 'sensor-1', data: 'hällo', metadata: { unit: 'C' } })
      assert.equal(accepted.status, 200)
      assert.match(String(accepted.body['messageId']), uuidV7)
      assert.deepEqual(accepted.body, { messageId: accepted.body['messageId'], status: 'accepted', durability })
      const { body } = await processed(accepted.body['messageId'])
      const { accepted_at, processed_at, ...rest } = body
      assert.deepEqual(rest, {
        messageId: accepted.body['messageId'],
        status: 'processed',
        attempts: 1,
        result: 'PROCESSED_hällo',
      })
      for (const time of [accepted_at, processed_at]) assert.match(String(time), rfc3339)
    })

    it('takes messages on its own port, too, and with every field left out', async () => {
      const accepted = await post(`${running.at('ingest')}/ingest`, {})
      assert.equal(accepted.status, 200)
      assert.equal((await processed(accepted.body['messageId'])).body['result'], 'PROCESSED_')
    })

    it('ignores fields that it does not know', async () => {
      assert.equal((await post(url, { source: 's', id: 'mine', priority: 7 })).status, 200)
    })

    it('gives a repeated Idempotency-Key the same answer, at either door, and counts it once', async () => {
      const headers = { 'idempotency-key': `again-${queueType}` }
      const before = (await get(`${running.at('ingest')}/stats`)).body
      const first = await post(url, { source: 's', data: 'once' }, headers)
      const again = await post(`${running.at('ingest')}/ingest`, '{ "data": "once", "source": "s" }', headers)
      assert.deepEqual([again.status, again.body], [first.status, first.body])
      const counts = (await get(`${running.at('ingest')}/stats`)).body
      assert.equal(counts['TotalReceived'], Number(before['TotalReceived']) + 1)
    })

    it('refuses an Idempotency-Key that came with another body', async () => {
      const headers = { 'idempotency-key': `other-${queueType}` }
      await post(url, { data: 'a' }, headers)
      const other = await post(url, { data: 'b' }, headers)
      assert.equal(other.status, 422)
      assert.equal(other.body['code'], 'idempotency_key_reused')
    })

    it('makes one message of equal requests that arrive together', async () => {
      const headers = { 'idempotency-key': `together-${queueType}` }
      const answers = await Promise.all(Array.from({ length: 20 }, () => post(url, { data: 'together' }, headers)))
      for (const { status } of answers) assert.ok(status === 200 || status === 409, String(status))
      const accepted = answers.filter(({ status }) => status === 200)
      assert.equal(new Set(accepted.map(({ body }) => body['messageId'])).size, 1)
      for (const { status, headers } of answers) if (status === 409) assert.ok(headers.get('retry-after'))
    })

    it('counts every request: received = sent + failed', async () => {
      await post(url, { source: 5 })
      await post(url, '{', {})
      await post(url, 'text', { 'content-type': 'text/plain' })
      await post(url, { data: 'fine' })
      const { TotalReceived, TotalSent, TotalFailed } = (await get(`${running.at('ingest')}/stats`)).body
      assert.ok(Number(TotalFailed) >= 3)
      assert.equal(TotalReceived, Number(TotalSent) + Number(TotalFailed))
    })

    it('shows in the status that ingest and processor are well and nothing waits', async () => {
      const accepted = await post(url, { data: 'last' })
      await processed(accepted.body['messageId'])
      await untilTrue('the queue is empty', async () => {
        const { body } = await get(`${running.at('gateway')}/api/v1/status`)
        const { ingest, processor } = body as Record<
          string,
          { healthy: boolean; stats: Record<string, Record<string, number>> }
        >
        assert.equal(ingest?.healthy, true)
        assert.equal(processor?.healthy, true)
        assert.equal(processor?.stats['queue']?.['capacity'], queueType === 'memory' ? 1000 : 10_000_000)
        assert.equal(processor?.stats['pool']?.['workers'], 4)
        return processor?.stats['queue']?.['size'] === 0 && Number(processor.stats['pool']?.['processed']) > 0
      })
    })

    it('answers 404 for a message that nobody sent', async () => {
      for (const id of [
        '01a1fe25-169f-731c-8708-1f24c61f82d6',
        'x',
        "'; drop table pipeline.result --",
        'ä'.repeat(20),
      ]) {
        const { status, body } = await get(`${running.at('gateway')}/api/v1/messages/${encodeURIComponent(id)}`)
        assert.deepEqual([status, body['code']], [404, 'not_found'])
      }
    })
  })
}
