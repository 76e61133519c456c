import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { assertConserved, untilDrained } from '../support/audit.ts'
import { ingest } from '../support/ingest.ts'
import { startTopology, type Topology, type TopologyName } from '../support/topology.ts'

const topologies: readonly TopologyName[] = ['one process', 'three processes']

interface Status {
  readonly ingest: { healthy: boolean; stats: { TotalReceived: number; TotalSent: number; TotalFailed: number } | null }
  readonly processor: {
    healthy: boolean
    stats: { queue: { size: number; capacity: number }; pool: { processed: number; errors: number } } | null
    error?: string
  }
}

const statusOf = async (url: string) => (await (await fetch(`${url}/api/v1/status`)).json()) as Status

async function post(url: string, body: unknown, headers: Record<string, string> = {}) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

async function messageOf(url: string, id: unknown) {
  const answer = await fetch(`${url}/api/v1/messages/${id}`)
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

for (const name of topologies) {
  describe(`the pipeline in ${name}`, { timeout: 240_000 }, () => {
    it('processes what it accepts and says so under the id that it gave', async () => {
      await using pipeline = await startTopology(name)
      const accepted = await post(`${pipeline.url}/api/v1/ingest`, { source: 'sensor-1', data: 'Привет ☕' })
      assert.equal(accepted.status, 200)
      assert.deepEqual(Object.keys(accepted.body).sort(), ['durability', 'messageId', 'status'])
      assert.deepEqual([accepted.body['status'], accepted.body['durability']], ['accepted', 'disk'])
      const { messageId } = accepted.body
      await untilTrue('the message is processed', async () => {
        return (await messageOf(pipeline.url, messageId)).body['status'] === 'processed'
      })
      const { body } = await messageOf(pipeline.url, messageId)
      assert.equal(body['result'], 'PROCESSED_Привет ☕')
      assert.equal(body['attempts'], 1)
      assert.equal((await messageOf(pipeline.url, 'unknown')).status, 404)
    })

    it('counts what came and went, and the counts add up', async () => {
      await using pipeline = await startTopology(name)
      await Promise.all(
        Array.from({ length: 20 }, (_, n) => post(`${pipeline.ingestUrl}/ingest`, { source: 's', data: `${n}` })),
      )
      assert.equal((await post(`${pipeline.url}/api/v1/ingest`, { source: 7 })).status, 400)
      await untilDrained(pipeline.url)
      const { ingest: received, processor } = await statusOf(pipeline.url)
      assert.equal(received.healthy, true)
      const { TotalReceived = 0, TotalSent = 0, TotalFailed = 0 } = received.stats ?? {}
      assert.equal(TotalReceived, TotalSent + TotalFailed)
      assert.equal(TotalSent, 20)
      assert.equal(processor.stats?.queue.size, 0)
      // Counted when the commit is answered, a moment after the database shows its effect.
      await untilTrue('all 20 are counted as processed', async () => {
        return (await statusOf(pipeline.url)).processor.stats?.pool.processed === 20
      })
    })

    it('answers a repeated Idempotency-Key with the same id and processes the message once', async () => {
      await using pipeline = await startTopology(name)
      const send = (data: string) =>
        post(`${pipeline.url}/api/v1/ingest`, { source: 's', data }, { 'Idempotency-Key': 'key-1' })
      const first = await send('a')
      assert.deepEqual(await send('a'), first)
      const other = await send('b')
      assert.deepEqual([other.status, other.body['code']], [422, 'idempotency_key_reused'])
      await untilDrained(pipeline.url)
      assert.equal((await assertConserved(await pipeline.databaseUrl(), new Set())).results, 1)
    })

    it('loses nothing and doubles nothing when each of its processes is killed under load', async (t) => {
      await using pipeline = await startTopology(name)
      const loading = new AbortController()
      const load = ingest({ url: pipeline.url, clients: 16, signal: loading.signal })
      try {
        for (const process of pipeline.processes) await killAndStart(pipeline, process)
      } finally {
        loading.abort()
      }
      const sent = await load
      await untilDrained(pipeline.url)
      const { logged } = await assertConserved(await pipeline.databaseUrl(), sent.accepted)
      t.diagnostic(
        `accepted ${sent.accepted.size}, unanswered ${sent.unknown}, refused ${sent.refused}, logged ${logged}`,
      )
      assert.ok(sent.accepted.size > 100, `only ${sent.accepted.size} accepted`)
    })

    it('carries messages in memory when told to, and says what that survives', async () => {
      await using pipeline = await startTopology(name, { QUEUE_TYPE: 'memory' })
      const { status, body } = await post(`${pipeline.url}/api/v1/ingest`, { source: 's', data: 'x' })
      assert.deepEqual([status, body['durability']], [200, 'memory'])
      await untilTrue('the message is processed', async () => {
        return (await messageOf(pipeline.url, body['messageId'])).body['status'] === 'processed'
      })
    })
  })
}

async function killAndStart(pipeline: Topology, process: string): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 400))
  await pipeline.kill(process)
  await pipeline.start(process)
}

describe('the gateway apart', { timeout: 240_000 }, () => {
  it('says which part cannot be reached', async () => {
    await using pipeline = await startTopology('three processes')
    await pipeline.kill('processor')
    const { ingest: received, processor } = await statusOf(pipeline.url)
    assert.equal(received.healthy, true)
    assert.deepEqual([processor.healthy, processor.stats], [false, null])
    assert.equal(typeof processor.error, 'string')
  })
})
