import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startKafka, startNats, type TestService } from '../../tools/services/testing.ts'
import { assertConserved, untilDrained } from '../support/audit.ts'
import { ingest } from '../support/ingest.ts'
import { startTopology, type Topology } from '../support/topology.ts'

const carriers = {
  kafka: { start: startKafka, settings: (address: string) => ({ QUEUE_TYPE: 'kafka', KAFKA_BROKERS: address }) },
  nats: { start: startNats, settings: (address: string) => ({ QUEUE_TYPE: 'nats', NATS_URL: `nats://${address}` }) },
} as const

/** Each of them killed under load and started again, in an order that is drawn. */
function drawnOrder(): string[] {
  return ['ingest', 'processor', 'broker', 'broker', 'ingest', 'processor'].sort(() => Math.random() - 0.5)
}

async function killAndStart(what: string, topology: Topology, broker: TestService): Promise<void> {
  if (what === 'broker') {
    await broker.kill()
    await pause(700)
    await broker.start()
    return
  }
  await topology.kill(what)
  await topology.start(what)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

describe('ingest, processor and broker, each killed under load', () => {
  for (const [name, { start, settings }] of Object.entries(carriers)) {
    const order = drawnOrder()
    it(`(${name}: ${order.join(', ')}) lose nothing that was accepted`, { timeout: 240_000 }, async (t) => {
      await using broker = await start()
      await using topology = await startTopology('three processes', settings(broker.address))
      const loading = new AbortController()
      const load = ingest({ url: topology.url, clients: 8, signal: loading.signal })
      try {
        for (const what of order) {
          await pause(500)
          await killAndStart(what, topology, broker)
        }
        await pause(500)
      } finally {
        loading.abort()
      }
      const sent = await load
      await untilDrained(topology.url, 120_000)
      const { logged } = await assertConserved(await topology.databaseUrl(), sent.accepted)
      t.diagnostic(
        `accepted ${sent.accepted.size}, unanswered ${sent.unknown}, in the log ${logged}, refused ${sent.refused}`,
      )
      assert.ok(sent.accepted.size > 50, `only ${sent.accepted.size} messages were accepted`)
    })
  }
})
