import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { runningEmbeddedServer } from '@headrace/database'
import { assertConserved, untilDrained } from '../support/audit.ts'
import { freePorts, type Headrace, startHeadrace } from '../support/headrace.ts'
import { ingest } from '../support/ingest.ts'

const kills = 10

describe('a process that is killed while it accepts and processes', () => {
  it(`has processed every accepted message once after ${kills} kills`, { timeout: 240_000 }, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'headrace-chaos-'))
    t.after(() => rm(directory, { recursive: true, force: true }))
    const [port = 0] = await freePorts(1)
    const start = () => startOn(directory, port)
    const loading = new AbortController()
    let headrace = await start()
    try {
      const load = ingest({ url: headrace.url, clients: 32, signal: loading.signal })
      for (let kill = 1; kill <= kills; kill += 1) {
        // Somewhere in the middle of something; the seed of the run does not reach so far down.
        await new Promise((resolve) => setTimeout(resolve, 200 + Math.random() * 600))
        await headrace.kill()
        headrace = await start()
      }
      loading.abort()
      const sent = await load
      await untilDrained(headrace.url)
      const server = await runningEmbeddedServer(directory)
      assert.ok(server)
      const { logged } = await assertConserved(server.url, sent.accepted)
      t.diagnostic(
        `accepted ${sent.accepted.size}, unanswered ${sent.unknown}, in the log ${logged}, refused ${sent.refused}`,
      )
      assert.ok(sent.accepted.size > 200, `only ${sent.accepted.size} messages were accepted`)
      assert.ok(logged >= sent.accepted.size)
    } finally {
      loading.abort()
      await headrace.stop()
    }
  })
})

function startOn(directory: string, port: number): Promise<Headrace> {
  const environment = {
    HEADRACE_DATA: directory,
    API_PORT: String(port),
    INGEST_PORT: 'off',
    PROCESSOR_PORT: 'off',
    CALCULATOR_PORT: 'off',
    CONSOLE_PORT: 'off',
    INTERNAL_PORT: '0',
  }
  return startHeadrace({ environment, url: `http://127.0.0.1:${port}` })
}
