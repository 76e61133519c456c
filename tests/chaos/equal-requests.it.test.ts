import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { runningEmbeddedServer } from '@headrace/database'
import { assertConserved, untilDrained } from '../support/audit.ts'
import { freePorts, type Headrace, startHeadrace } from '../support/headrace.ts'

/** Equal requests at once for each key. */
const equal = 12
const keys = 8

/** Where the process dies: before and after the first commit that holds effects and keys (there may be only one), and anywhere. */
const deaths = ['gather.before-commit=kill', 'gather.after-commit=kill', 'anywhere'] as const

describe('equal requests at once, repeated on 409, 503 and silence', () => {
  for (const death of deaths) {
    it(`take effect once and get one answer while the process dies (${death})`, { timeout: 240_000 }, async (t) => {
      const directory = await mkdtemp(join(tmpdir(), 'headrace-chaos-'))
      t.after(() => rm(directory, { recursive: true, force: true }))
      const [port = 0] = await freePorts(1)
      const url = `http://127.0.0.1:${port}`
      await using running = await Reviving.start(directory, url, port, death)
      const asked = Array.from({ length: keys }, () => randomUUID()).map((key) =>
        Promise.all(Array.from({ length: equal }, () => finalAnswer(url, key))),
      )
      if (death === 'anywhere') await running.kill()
      const answers = await Promise.all(asked)
      for (const same of answers) assert.equal(new Set(same).size, 1, `different answers: ${[...new Set(same)]}`)
      assert.ok(running.deaths > 0, 'the process did not die')
      await untilDrained(url)
      const server = await runningEmbeddedServer(directory)
      const { logged } = await assertConserved(server?.url ?? '', new Set(answers.map((same) => same[0] ?? '')))
      assert.equal(logged, keys)
    })
  }
})

/** The process, started again without faults whenever it has died. */
class Reviving implements AsyncDisposable {
  deaths = 0
  #current: Headrace
  #watching: Promise<void>
  #stopped = false
  readonly #again: () => Promise<Headrace>

  static async start(directory: string, url: string, port: number, death: string): Promise<Reviving> {
    const start = (faults: Readonly<Record<string, string>>) => {
      const closed = { INGEST_PORT: 'off', PROCESSOR_PORT: 'off', CALCULATOR_PORT: 'off', CONSOLE_PORT: 'off' }
      const places = { HEADRACE_DATA: directory, API_PORT: String(port), INTERNAL_PORT: '0' }
      return startHeadrace({ environment: { ...places, ...closed, ...faults }, url })
    }
    const first = await start(death === 'anywhere' ? {} : { HEADRACE_FAULTS: death })
    return new Reviving(first, () => start({}))
  }

  private constructor(first: Headrace, again: () => Promise<Headrace>) {
    this.#current = first
    this.#again = again
    this.#watching = this.#watch()
  }

  async #watch(): Promise<void> {
    await this.#current.ended
    if (this.#stopped) return
    this.deaths += 1
    this.#current = await this.#again()
    this.#watching = this.#watch()
  }

  kill(): Promise<void> {
    return this.#current.kill()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    await this.#current.stop()
    await this.#watching
  }
}

/** Repeats until there is an answer that says what happened. */
async function finalAnswer(url: string, key: string): Promise<string> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': key }
  const body = JSON.stringify({ source: key, data: 'once' })
  while (true) {
    const answer = await fetch(`${url}/api/v1/ingest`, { method: 'POST', headers, body }).catch(() => undefined)
    const text = await answer?.text().catch(() => undefined)
    if (answer !== undefined && text !== undefined) {
      if (answer.status === 200) return (JSON.parse(text) as { messageId: string }).messageId
      assert.ok([409, 503].includes(answer.status), `${answer.status} ${text}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
