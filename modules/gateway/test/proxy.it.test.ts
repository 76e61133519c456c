import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import { describe, it } from 'node:test'
import { answerCallersFault, createHttpServer, readiness } from '@headrace/http-kit'
import { createMetrics, nullLogger, PlatformError } from '@headrace/runtime'
import { startGateway } from '../src/gateway.ts'

/** A gateway before one replica of everything, which answers as it is told. */
async function gatewayBefore(answer: RequestListener, metrics = createMetrics()) {
  await using stack = new AsyncDisposableStack()
  const server = createServer(answer).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  stack.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as { port: number } // a TCP server's address
  const replica = [`http://127.0.0.1:${port}`]
  const http = stack.use(await createHttpServer({ name: 'gateway', logger: nullLogger, metrics }))
  const modules = { AUTH_URL: replica, CALCULATOR_URL: replica, ORDER_LOOKUP_URL: replica, ORDER_INTAKE_URL: replica }
  const settings = { INGEST_URL: replica, PROCESSOR_URL: replica, ...modules, ORDERS_URL: replica, PAYMENTS_URL: [] }
  const context = { settings, surfaces: { public: http.app }, offers: {}, readiness: readiness({}), runs: () => false }
  stack.use(await startGateway(context))
  const { url } = await http.listen({ port: 0, variable: 'API_PORT' })
  const owned = stack.move()
  return { url, replica: replica[0], stop: () => http.stop(), [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

describe('a request that the gateway hands on', { timeout: 240_000 }, () => {
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

  it('and is the caller’s fault whatever its status says is counted so', async () => {
    await using module = await createHttpServer({ name: 'module', logger: nullLogger })
    module.app.post('/api/v1/calculate', { config: { access: 'public' } }, async (_request, reply) =>
      answerCallersFault(reply, new PlatformError('INTERNAL', 'yours')),
    )
    await module.app.ready()
    const metrics = createMetrics()
    await using gateway = await gatewayBefore((request, response) => module.app.routing(request, response), metrics)
    assert.equal((await fetch(`${gateway.url}/api/v1/calculate`, { method: 'POST' })).status, 500)
    const route = 'route="/api/v1/calculate"'
    assert.match(await metrics.metricsText(), new RegExp(`requests_total\\{[^}]*${route},status="400"\\} 1`))
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

  it('takes no room from others, however many wait for their answers', async () => {
    const all = Promise.withResolvers<void>()
    const waiting: string[] = []
    await using gateway = await gatewayBefore((request, response) => {
      if (request.method === 'GET') return void response.end('{}')
      if (waiting.push(request.url ?? '') === 300) all.resolve()
    })
    const leaving = new AbortController()
    const { signal } = leaving
    const headers = { 'content-type': 'application/json' }
    const ask = (path: string) => fetch(gateway.url + path, { method: 'POST', headers, body: '{}', signal })
    const asked = ['/api/v1/ingest', '/orders'].flatMap((path) => Array.from({ length: 150 }, () => ask(path)))
    const ended = Promise.allSettled(asked)
    // Each has arrived there: its time limit runs from the beginning.
    await all.promise
    assert.equal((await fetch(`${gateway.url}/orders/x`)).status, 200)
    assert.equal((await fetch(`${gateway.url}/api/v1/status`)).status, 200)
    leaving.abort()
    await ended
  })

  it('and that reads is answered 503 when nobody answers', async () => {
    await using gateway = await gatewayBefore((request) => request.socket.destroy())
    assert.equal((await fetch(`${gateway.url}/api/v1/messages/x`)).status, 503)
  })
})

describe('the status', { timeout: 240_000 }, () => {
  it('of a part that answers and is not ready is not healthy, and names what is missing', async () => {
    const stats = { TotalReceived: 1, TotalSent: 1, TotalFailed: 0 }
    await using gateway = await gatewayBefore(({ url }, response) => {
      if (url === '/stats') return void response.end(JSON.stringify(stats))
      response.statusCode = 503
      response.end('{"status":"unavailable","database":"ok","broker":"Kafka does not serve"}')
    })
    const { ingest } = (await (await fetch(`${gateway.url}/api/v1/status`)).json()) as Record<string, object>
    const error = `${gateway.replica} is not ready: broker: Kafka does not serve`
    assert.deepEqual(ingest, { healthy: false, stats, error })
  })

  it('of a part that answers something else is not healthy', async () => {
    await using gateway = await gatewayBefore((_request, response) => response.end('{"TotalReceived":"many"}'))
    const answer = await fetch(`${gateway.url}/api/v1/status`)
    const { ingest } = (await answer.json()) as { ingest: { healthy: boolean; stats: unknown; error: string } }
    assert.deepEqual([answer.status, ingest.healthy, ingest.stats], [200, false, null])
    assert.match(ingest.error, /answered something else/)
  })
})

describe('a module that runs elsewhere', { timeout: 240_000 }, () => {
  it('is served under its own paths, with any method, query and body', async () => {
    await using gateway = await gatewayBefore(async (request, response) => {
      const body = Buffer.concat(await request.toArray()).toString()
      response.writeHead(201, { 'content-type': 'application/json', link: '<x>; rel="next"' })
      response.end(JSON.stringify({ method: request.method, path: request.url, body }))
    })
    const headers = { 'content-type': 'application/json' }
    const path = '/orders-api/orders?limit=7'
    const answer = await fetch(`${gateway.url}${path}`, { method: 'POST', headers, body: '{"user_id":"u"}' })
    assert.equal(answer.status, 201)
    assert.equal(answer.headers.get('link'), '<x>; rel="next"')
    assert.deepEqual(await answer.json(), { method: 'POST', path, body: '{"user_id":"u"}' })
  })

  it('streams events as they come, and is told when the client has gone', async () => {
    const gone = Promise.withResolvers<void>()
    const pushes: ((text: string) => void)[] = []
    await using gateway = await gatewayBefore((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('id: 1\n\n')
      response.once('close', () => gone.resolve())
      pushes.push((text) => void response.write(text))
    })
    const leaving = new AbortController()
    const answer = await fetch(`${gateway.url}/orders-api/orders/stream?user_id=u`, { signal: leaving.signal })
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
    assert.equal((await reader?.read())?.value, 'id: 1\n\n')
    pushes[0]?.('id: 2\n\n')
    assert.equal((await reader?.read())?.value, 'id: 2\n\n')
    leaving.abort()
    await gone.promise
  })

  it('for a stream takes no room from others, however many streams there are', async () => {
    await using gateway = await gatewayBefore((request, response) => {
      if (request.url?.includes('/stream') !== true) return void response.end('{}')
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('id: 1\n\n')
    })
    const leaving = new AbortController()
    const { signal } = leaving
    const streams = Array.from({ length: 150 }, () => fetch(`${gateway.url}/orders-api/orders/stream`, { signal }))
    assert.deepEqual([...new Set((await Promise.all(streams)).map(({ status }) => status))], [200])
    assert.equal((await fetch(`${gateway.url}/orders-api/orders/x`)).status, 200)
    leaving.abort()
  })

  it('for a stream is answered at once when the gateway stops or the replica breaks off', async () => {
    let opened = Promise.withResolvers<() => void>()
    await using gateway = await gatewayBefore((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('id: 1\n\n')
      opened.resolve(() => void response.destroy())
    })
    const open = async () => (await fetch(`${gateway.url}/orders-api/orders/stream`)).text()
    const broken = open()
    const breakOff = await opened.promise
    breakOff()
    await broken
    opened = Promise.withResolvers()
    const ended = open()
    await opened.promise
    const began = performance.now()
    await gateway.stop()
    assert.ok(performance.now() - began < 5_000, 'the gateway waited for its streams')
    await ended
  })

  it('of an EventSource that finds nobody is asked to come again, of others answered 503', async () => {
    await using gateway = await gatewayBefore((_request, response) => response.destroy())
    const url = `${gateway.url}/orders-api/orders/stream`
    const answer = await fetch(url, { headers: { accept: 'text/event-stream' } })
    assert.deepEqual([answer.status, await answer.text()], [200, ': unavailable\nretry: 1000\n\n'])
    assert.equal((await fetch(url)).status, 503)
  })

  it('without an address is answered 503', async () => {
    await using gateway = await gatewayBefore((_request, response) => response.end())
    const answer = await fetch(`${gateway.url}/payments-api/accounts/x`)
    const { code } = (await answer.json()) as { code: string }
    assert.deepEqual([answer.status, code], [503, 'unavailable'])
  })
})
