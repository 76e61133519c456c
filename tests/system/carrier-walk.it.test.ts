import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { runningEmbeddedServer } from '@headrace/database'
import pg from 'pg'
import { startKafka, startNats } from '../../tools/services/testing.ts'
import { assertConserved, untilDrained } from '../support/audit.ts'
import { freePorts, startHeadrace } from '../support/headrace.ts'
import { ingest } from '../support/ingest.ts'

const both = { QUEUE_TYPE: 'composite', COMPOSITE_PROVIDERS: 'nats,kafka', COMPOSITE_STRATEGY: 'best-effort' }
const nats = { QUEUE_TYPE: 'nats' }
const kafka = { QUEUE_TYPE: 'kafka' }

describe('the walk from one broker to another under load', () => {
  it('NATS, NATS and Kafka, Kafka, and back, a broker killed on the way: each message is processed once, in order', {
    timeout: 240_000,
  }, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'headrace-walk-'))
    t.after(() => rm(directory, { recursive: true, force: true }))
    await using brokers = await startBrokers()
    const [port = 0] = await freePorts(1)
    const environment = { ...everywhere, ...brokers.addresses, HEADRACE_DATA: directory, API_PORT: String(port) }
    const start = (queue: Readonly<Record<string, string>>) =>
      startHeadrace({ environment: { ...environment, ...queue }, url: `http://127.0.0.1:${port}` })

    let headrace = await start(nats)
    const loading = new AbortController()
    try {
      await recordOrder(directory)
      const load = ingest({ url: headrace.url, clients: 8, signal: loading.signal })
      const walkTo = async (queue: Readonly<Record<string, string>>) => {
        await pause(1_500)
        await headrace.stop()
        headrace = await start(queue)
      }
      await walkTo(both)
      await pause(1_000)
      // With both in use one may die, and what it missed is brought to it when it is back.
      await brokers.nats.kill()
      await pause(2_000)
      await brokers.nats.start()
      await walkTo(kafka)
      await walkTo(both)
      await pause(1_000)
      await brokers.kafka.kill()
      await pause(2_000)
      await brokers.kafka.start()
      await walkTo(nats)
      await pause(1_500)
      loading.abort()
      const sent = await load
      await untilDrained(headrace.url, 120_000)
      const server = await runningEmbeddedServer(directory)
      assert.ok(server)
      const { logged } = await assertConserved(server.url, sent.accepted)
      assert.deepEqual(await outOfOrder(server.url), [], 'sources whose messages were processed out of order')
      t.diagnostic(
        `accepted ${sent.accepted.size}, unanswered ${sent.unknown}, in the log ${logged}, refused ${sent.refused}`,
      )
      assert.ok(sent.accepted.size > 100, `only ${sent.accepted.size} messages were accepted`)
    } finally {
      loading.abort()
      await headrace.stop()
    }
  })
})

const everywhere = {
  INGEST_PORT: 'off',
  PROCESSOR_PORT: 'off',
  CALCULATOR_PORT: 'off',
  CONSOLE_PORT: 'off',
  INTERNAL_PORT: '0',
}

async function startBrokers() {
  await using stack = new AsyncDisposableStack()
  const [natsServer, kafkaServer] = await Promise.all([startNats(), startKafka()])
  stack.use(natsServer)
  stack.use(kafkaServer)
  const parts = stack.move()
  return {
    nats: natsServer,
    kafka: kafkaServer,
    addresses: { NATS_URL: `nats://${natsServer.address}`, KAFKA_BROKERS: kafkaServer.address },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

/** Numbers the results in the order of their transactions; what one transaction brings has no order. */
async function recordOrder(directory: string): Promise<void> {
  const server = await runningEmbeddedServer(directory)
  assert.ok(server)
  await withClient(server.url, (client) =>
    client.query(`
      create table walk_order (n bigint generated always as identity primary key, message_id text not null,
        transaction xid8 not null default pg_current_xact_id());
      create function walk_note() returns trigger language plpgsql as $$
        begin insert into walk_order (message_id) values (new.message_id); return null; end $$;
      create trigger walk_note after insert on pipeline.result for each row execute function walk_note()`),
  )
}

/** Sources of which a message was processed before one in front of it. */
async function outOfOrder(url: string): Promise<string[]> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ key: string }>(`
      select distinct key from (
        select l.key, w.n, lag(w.n) over (partition by l.topic, l.partition, l.key order by l."offset") as before
        from headrace.log l join (
          select message_id, min(n) over (partition by transaction) as n from walk_order) w
            on w.message_id = l.message_id) as seen
      where n < before`)
    return rows.map(({ key }) => key)
  })
}
