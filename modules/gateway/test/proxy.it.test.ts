import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import { describe, it } from 'node:test'
import { createHttpServer } from '@headrace/http-kit'
import { nullLogger } from '@headrace/runtime'
import { startGateway } from '../src/gateway.ts'

/** A gateway before one replica of everything, which answers as it is told. */
async function gatewayBefore(answer: RequestListener) {
  await using stack = new AsyncDisposableStack()
  const server = createServer(answer).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  stack.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as { port: number } // a TCP server's address
  const replica = [`http://127.0.0.1:${port}`]
  const http = stack.use(await createHttpServer({ name: 'gateway', logger: nullLogger }))
  const settings = { INGEST_URL: replica, PROCESSOR_URL: replica }
  stack.use(await startGateway({ settings, surfaces: { public: http.app }, offers: {}, probes: {} }))
  const { url } = await http.listen({ port: 0, variable: 'API_PORT' })
  const owned = stack.move()
  return { url, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

describe('a request that the gateway hands on', { timeout: 30_000 }, () => {
  it('arrives byte for byte, with its headers but for those of one connection', async () => {
    const seen: { path: string | undefined; headers: Record<string, unknown>; body: Buffer }[] = []
    await using gateway = await gatewayBefore(async (request, response) => {
      seen.push({ path: request.url, headers: request.headers, body: Buffer.concat(await request.toArray()) })
      response.writeHead(202, { 'content-type': 'text/x', 'retry-after': '7', 'x-own': 'yes' }).end('answer')
    })
    const sent = Uint8Array.of(0, 1, 254, 255)
    const headers = {
      'content-type': 'application/x-protobuf',
      'idempotency-key': 'k',
      authorization: 'Bearer t',
      origin: 'http://localhost',
    }
    const answer = await fetch(`${gateway.url}/api/v1/ingest?x=1`, { method: 'POST', headers, body: sent })
    assert.deepEqual([answer.status, await answer.text()], [202, 'answer'])
    assert.deepEqual(
      ['content-type', 'retry-after', 'x-own'].map((name) => answer.headers.get(name)),
      ['text/x', '7', 'yes'],
    )
    const [request] = seen
    assert.equal(request?.path, '/ingest')
    assert.deepEqual([...(request?.body ?? [])], [...sent])
    assert.equal(request?.headers['idempotency-key'], 'k')
    assert.equal(request?.headers['authorization'], 'Bearer t')
    assert.equal(request?.headers['origin'], undefined)
  })

  it('keeps its path where it reads', async () => {
    await using gateway = await gatewayBefore((request, response) =>
      response.end(JSON.stringify({ path: request.url })),
    )
    const answer = await fetch(`${gateway.url}/api/v1/messages/a%2Fb`)
    assert.deepEqual(await answer.json(), { path: '/api/v1/messages/a%2Fb' })
  })

  it('and that was sent and not answered has an unknown outcome where it writes', async () => {
    let asked = 0
    await using gateway = await gatewayBefore((request) => {
      asked += 1
      request.socket.destroy()
    })
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${gateway.url}/api/v1/ingest`, { method: 'POST', headers, body: '{}' })
    const { code } = (await answer.json()) as { code: string }
    assert.deepEqual([answer.status, code, asked], [503, 'outcome_unknown', 1])
  })

  it('and that reads is answered 503 when nobody answers', async () => {
    await using gateway = await gatewayBefore((request) => request.socket.destroy())
    assert.equal((await fetch(`${gateway.url}/api/v1/messages/x`)).status, 503)
  })
})

describe('the status', { timeout: 30_000 }, () => {
  it('of a part that answers something else is not healthy', async () => {
    await using gateway = await gatewayBefore((_request, response) => response.end('{"TotalReceived":"many"}'))
    const answer = await fetch(`${gateway.url}/api/v1/status`)
    const { ingest } = (await answer.json()) as { ingest: { healthy: boolean; stats: unknown; error: string } }
    assert.deepEqual([answer.status, ingest.healthy, ingest.stats], [200, false, null])
    assert.match(ingest.error, /answered something else/)
  })
})
