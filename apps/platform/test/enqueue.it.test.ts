import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { type Answer, get, post, type TestPlatform, testPlatform } from './support/platform.ts'
import { dataMessage } from './support/protobuf.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')

for (const [queueType, encoding] of [
  ['postgres', 'json'],
  ['postgres', 'protobuf'],
  ['memory', 'json'],
] as const) {
  describe(`enqueue over ${queueType} in ${encoding}`, { timeout: 240_000 }, () => {
    let running: TestPlatform
    before(async () => {
      running = await testPlatform({ env: { QUEUE_TYPE: queueType, QUEUE_ENCODING: encoding } })
    })
    after(() => running[Symbol.asyncDispose]())

    async function result(id: string): Promise<Answer> {
      let answer: Answer | undefined
      await untilTrue(`message ${id} is processed`, async () => {
        answer = await get(`${running.at('gateway')}/api/v1/messages/${id}`)
        return answer.body['status'] === 'processed'
      })
      assert.ok(answer)
      return answer
    }

    it('takes one message, on the processor’s port and on the internal one', async () => {
      for (const port of ['processor', 'internal']) {
        const answer = await post(`${running.at(port)}/enqueue`, {
          id: `one-${port}`,
          source: 's',
          payload: base64('hi'),
        })
        assert.deepEqual([answer.status, answer.body], [202, { accepted: 1 }])
        assert.equal((await result(`one-${port}`)).body['result'], 'PROCESSED_hi')
      }
    })

    it('takes several, and none', async () => {
      const several = Array.from({ length: 50 }, (_, index) => ({ id: `several-${index}`, source: `s${index % 7}` }))
      assert.deepEqual((await post(`${running.at('processor')}/enqueue`, several)).body, { accepted: 50 })
      for (const { id } of several) await result(id)
      const none = await post(`${running.at('processor')}/enqueue`, [])
      assert.deepEqual([none.status, none.body], [202, { accepted: 0 }])
    })

    it('makes the id of a message that has none', async () => {
      const before = (await get(`${running.at('processor')}/stats`)).body as { pool: { processed: number } }
      assert.equal((await post(`${running.at('processor')}/enqueue`, [{}, {}])).status, 202)
      await untilTrue('both are processed', async () => {
        const { pool } = (await get(`${running.at('processor')}/stats`)).body as { pool: { processed: number } }
        return pool.processed === before.pool.processed + 2
      })
    })

    it('takes protobuf, and shows a result that is no text as base64', async () => {
      const body = dataMessage({ id: 'binary', source: 's', payload: Uint8Array.of(255, 0, 254) })
      const answer = await post(`${running.at('processor')}/enqueue`, body, {
        'content-type': 'application/x-protobuf',
      })
      assert.deepEqual([answer.status, answer.body], [202, { accepted: 1 }])
      const { body: view } = await result('binary')
      assert.equal(view['encoding'], 'base64')
      const expected = Buffer.concat([Buffer.from('PROCESSED_'), Buffer.of(255, 0, 254)]).toString('base64')
      assert.equal(view['result'], expected)
    })

    it('processes once what comes twice under one id', async () => {
      const stats = async () =>
        ((await get(`${running.at('processor')}/stats`)).body as { pool: { processed: number } }).pool.processed
      const before = await stats()
      await post(`${running.at('processor')}/enqueue`, { id: 'twice', source: 'a', payload: base64('first') })
      await result('twice')
      await post(`${running.at('processor')}/enqueue`, { id: 'twice', source: 'b', payload: base64('second') })
      await post(`${running.at('processor')}/enqueue`, { id: 'behind', source: 'b' })
      await result('behind')
      assert.equal((await result('twice')).body['result'], 'PROCESSED_first')
      assert.equal(await stats(), before + 2)
    })

    it('gives a repeated Idempotency-Key the same answer and enqueues nothing again', async () => {
      const headers = { 'idempotency-key': 'k' }
      const body = [{ source: 'x' }, { source: 'y' }]
      const first = await post(`${running.at('processor')}/enqueue`, body, headers)
      const again = await post(`${running.at('processor')}/enqueue`, body, headers)
      assert.deepEqual([again.status, again.body], [first.status, first.body])
    })
  })
}

describe('a queue in memory', { timeout: 240_000 }, () => {
  it('takes all or none of an array, up to QUEUE_SIZE', async () => {
    await using running = await testPlatform({ env: { QUEUE_TYPE: 'memory', QUEUE_SIZE: '10' } })
    const tooMany = Array.from({ length: 11 }, (_, index) => ({ id: `m${index}`, source: String(index) }))
    const refused = await post(`${running.at('processor')}/enqueue`, tooMany)
    assert.deepEqual([refused.status, refused.body['code']], [503, 'queue_full'])
    assert.ok(refused.headers.get('retry-after'))
    for (const { id } of tooMany)
      assert.equal((await get(`${running.at('gateway')}/api/v1/messages/${id}`)).status, 404)
    assert.equal((await post(`${running.at('processor')}/enqueue`, tooMany.slice(1))).status, 202)
  })
})

describe('the internal token', { timeout: 240_000 }, () => {
  it('is asked for by every internal route, also of callers on this machine', async () => {
    await using running = await testPlatform({ env: { INTERNAL_TOKEN: 'a-secret-token' } })
    const bearer = { authorization: 'Bearer a-secret-token' }
    for (const port of ['processor', 'internal']) {
      assert.equal((await post(`${running.at(port)}/enqueue`, {})).status, 401)
      assert.equal((await post(`${running.at(port)}/enqueue`, {}, { authorization: 'Bearer wrong' })).status, 401)
      assert.equal((await post(`${running.at(port)}/enqueue`, {}, bearer)).status, 202)
    }
    assert.equal((await fetch(`${running.at('internal')}/metrics`)).status, 401)
    assert.equal((await fetch(`${running.at('internal')}/metrics`, { headers: bearer })).status, 200)
    assert.equal((await fetch(`${running.at('internal')}/health`)).status, 200)
  })
})
