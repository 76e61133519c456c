import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../tools/load-test.ts', import.meta.url))

interface Faults {
  /** Every n-th accepted message is forgotten. */
  readonly losesEvery?: number
  /** Every n-th accepted message is processed twice. */
  readonly doublesEvery?: number
  /** Every n-th request is refused. */
  readonly refusesEvery?: number
}

/** A gateway that accepts at once and processes at the second question about a message. */
async function gateway(faults: Faults): Promise<{ url: string } & AsyncDisposable> {
  const questions = new Map<string, number>()
  let requests = 0
  let processed = 0
  const server = createServer((request, response) => {
    const answer = (status: number, body: object) => response.writeHead(status).end(JSON.stringify(body))
    const every = (n: number | undefined) => n !== undefined && requests % n === 0
    if (request.url === '/api/v1/status') {
      return answer(200, { processor: { stats: { queue: { size: 0, capacity: 9 }, pool: { processed } } } })
    }
    if (request.method === 'POST') {
      requests += 1
      if (every(faults.refusesEvery)) return answer(503, { code: 'queue_full' })
      const messageId = randomUUID()
      if (every(faults.doublesEvery)) processed += 1
      if (!every(faults.losesEvery)) questions.set(messageId, 0)
      return answer(200, { messageId, status: 'accepted', durability: 'disk' })
    }
    const id = request.url?.split('/').at(-1) ?? ''
    const asked = questions.get(id)
    if (asked === undefined) return answer(404, { code: 'not_found' })
    questions.set(id, asked + 1)
    if (asked === 1) processed += 1
    return answer(200, { messageId: id, status: asked === 0 ? 'accepted' : 'processed' })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // listens on TCP
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, ...args], (_, stdout, stderr) => {
      resolve({ code: child.exitCode, output: stdout + stderr })
    })
  })
}

const shape = ['--messages', '200', '--concurrency', '8', '--patience', '1']

describe('the load test', () => {
  it('ends well when every accepted message is processed once', async () => {
    await using honest = await gateway({})
    const { code, output } = await run('--url', honest.url, ...shape)
    assert.match(output, /accepted +200/)
    assert.match(output, /rate +\d+ accepted\/s/)
    assert.match(output, /p50 \d+\.\d ms, p95 \d+\.\d ms, p99 \d+\.\d ms/)
    assert.match(output, /all of 200 accepted messages\s+processed +200/)
    assert.match(output, /lost +0\s+doubled +0/)
    assert.equal(code, 0)
  })

  it('names what was lost and fails', async () => {
    await using lossy = await gateway({ losesEvery: 100 })
    const { code, output } = await run('--url', lossy.url, ...shape)
    assert.match(output, /processed +198/)
    assert.match(output, /lost +2\n +[0-9a-f-]{36}\n/)
    assert.equal(code, 1)
  })

  it('counts what was processed twice and fails', async () => {
    await using doubling = await gateway({ doublesEvery: 50 })
    const { code, output } = await run('--url', doubling.url, ...shape)
    assert.match(output, /doubled +4/)
    assert.equal(code, 1)
  })

  it('counts refusals by their code, which lose nothing', async () => {
    await using full = await gateway({ refusesEvery: 10 })
    const { code, output } = await run('--url', full.url, ...shape)
    assert.match(output, /accepted +180\s+failed +20\s+20 × 503 queue_full/)
    assert.equal(code, 0)
  })

  it('says in one line that nothing answers', async () => {
    const { code, output } = await run('--url', 'http://127.0.0.1:1', ...shape)
    assert.match(output, /^nothing answers at http:\/\/127\.0\.0\.1:1\/ .*make run-local`\n$/)
    assert.equal(code, 2)
  })
})
