import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { runningEmbeddedServer } from '@headrace/database'
import { startKafka, startNats } from '../../tools/services/testing.ts'
import { assertConserved, untilDrained } from '../support/audit.ts'
import { freePorts, startHeadrace } from '../support/headrace.ts'
import { ingest } from '../support/ingest.ts'

/** What `headrace run --help` says of a stop, in ms. */
const drainMs = 10_000

it('a stop beside brokers that stand still ends within its time with 0, and what was under way is carried later', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'headrace-stop-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  await using nats = await startNats()
  await using kafka = await startKafka()
  const [port = 0] = await freePorts(1)
  const off = { INGEST_PORT: 'off', PROCESSOR_PORT: 'off', CONSOLE_PORT: 'off' }
  const queue = { QUEUE_TYPE: 'composite', COMPOSITE_STRATEGY: 'best-effort' }
  const brokers = { NATS_URL: `nats://${nats.address}`, KAFKA_BROKERS: kafka.address }
  const place = { HEADRACE_DATA: directory, API_PORT: String(port), INTERNAL_PORT: '0', LOG_LEVEL: 'error' }
  const environment = { ...off, ...queue, ...brokers, ...place }
  const url = `http://127.0.0.1:${port}`
  const accepted = new Set<string>()
  {
    await using headrace = await startHeadrace({
      environment,
      url,
      args: ['--only', 'gateway,pipeline'],
      deadlineMs: 90_000,
    })
    const loading = new AbortController()
    const load = ingest({ url, clients: 4, signal: loading.signal })
    await pause(1_000)
    nats.pause()
    kafka.pause()
    try {
      await pause(1_000)
      const from = performance.now()
      const code = await headrace.stop()
      const tookMs = performance.now() - from
      t.diagnostic(`the stop took ${Math.round(tookMs)} ms`)
      assert.equal(code, 0, headrace.output())
      assert.ok(tookMs < drainMs, `the stop took ${tookMs} ms: ${headrace.output()}`)
      assert.doesNotMatch(headrace.output(), /still held open/)
    } finally {
      nats.resume()
      kafka.resume()
      loading.abort()
    }
    for (const id of (await load).accepted) accepted.add(id)
  }
  assert.ok(accepted.size > 0)
  await using _again = await startHeadrace({
    environment,
    url,
    args: ['--only', 'gateway,pipeline'],
    deadlineMs: 90_000,
  })
  await untilDrained(url)
  const server = await runningEmbeddedServer(directory)
  await assertConserved(server?.url ?? '', accepted)
})
