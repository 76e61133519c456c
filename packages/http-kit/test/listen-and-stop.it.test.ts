import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { hasCode } from '@headrace/runtime'
import { rawSocket } from './raw-socket.ts'
import { echoServer } from './test-server.ts'
import { until } from './until.ts'

const anyPort = { port: 0, variable: 'API_PORT' }

/** A server whose `/slow` answers when told to. */
async function slowServer() {
  const server = await echoServer()
  const entered = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  server.app.get('/slow', { config: { access: 'public' } }, async () => {
    entered.resolve()
    await release.promise
    return { slow: true }
  })
  const { port } = await server.listen(anyPort)
  return { server, port, entered: entered.promise, release: release.resolve }
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`

describe('listen', () => {
  it('says where it listens', async () => {
    await using server = await echoServer()
    const address = await server.listen({ ...anyPort, host: 'localhost' })
    assert.equal(address.url, `http://127.0.0.1:${address.port}`)
    assert.equal((await fetch(`${address.url}/health`)).status, 200)
  })

  it('a taken port is named with the variable that changes it', async () => {
    await using first = await echoServer()
    const { port } = await first.listen(anyPort)
    await using second = await echoServer()
    await assert.rejects(second.listen({ port, variable: 'INGEST_PORT' }), (error: unknown) => {
      assert.ok(hasCode(error, 'PORT_TAKEN'))
      assert.match(error.message, new RegExp(`^port ${port} is taken: .*INGEST_PORT`))
      return true
    })
  })

  it('beyond this machine it is refused, naming HOST, unless it is allowed', async () => {
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.com']) {
      await using server = await echoServer()
      await assert.rejects(server.listen({ ...anyPort, host }), (error: unknown) => {
        assert.ok(hasCode(error, 'INVALID_SETTING'))
        return error.message.startsWith(`HOST is '${host}': expected`)
      })
    }
    await using open = await echoServer({ callers: { required: true, byToken: () => undefined } })
    await open.listen({ ...anyPort, host: '0.0.0.0' })
  })

  it('an address that is not ours is an error that names HOST', async () => {
    await using server = await echoServer({ callers: { required: true, byToken: () => undefined } })
    await assert.rejects(server.listen({ ...anyPort, host: '192.0.2.1' }), /HOST is '192\.0\.2\.1'/)
  })
})

describe('stop', () => {
  it('answers what is under way, tells the client it was the last, and refuses new connections', async () => {
    const { server, port, entered, release } = await slowServer()
    using raw = await rawSocket(port)
    raw.send(get('/slow'))
    await entered
    const stopped = server.stop()
    await assert.rejects(rawSocketSoon(port), /ECONNREFUSED/)
    release()
    const answer = await raw.untilClosed()
    await stopped
    assert.match(answer, /^HTTP\/1\.1 200 /)
    assert.match(answer, /connection: close/i)
    assert.match(answer, /\{"slow":true\}/)
  })

  it('closes idle connections at once', async () => {
    await using server = await echoServer()
    const { port } = await server.listen(anyPort)
    using raw = await rawSocket(port)
    raw.send(get('/health'))
    await raw.until('"healthy":true}')
    const began = performance.now()
    await server.stop()
    await raw.untilClosed()
    assert.ok(performance.now() - began < 4_000, 'the server waited for it')
  })

  it('closes connections that never said anything: clients open some in advance', async () => {
    await using server = await echoServer()
    const { port } = await server.listen(anyPort)
    using silent = await rawSocket(port)
    await until(() => server.connections === 1, 'the connection')
    await server.stop({ deadlineMs: 9_000 })
    assert.equal(await silent.untilClosed(), '')
  })

  it('does not wait for requests that have come only in part', async () => {
    await using server = await echoServer()
    const { port } = await server.listen(anyPort)
    using head = await rawSocket(port)
    head.send('GET /health HTTP/1.1\r\nhost: x\r\n')
    using body = await rawSocket(port)
    body.send('POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"da')
    await until(() => server.connections === 2, 'both connections')
    await server.stop()
    assert.deepEqual([await head.untilClosed(), await body.untilClosed()], ['', ''])
  })

  it('a request on an open connection while stopping is answered, as the last one', async () => {
    const { server, port, entered, release } = await slowServer()
    using busy = await rawSocket(port)
    busy.send(get('/slow'))
    using late = await rawSocket(port)
    late.send('GET /health HTTP/1.1\r\nhost: x\r\n')
    await entered
    await until(() => server.connections === 2, 'both connections')
    const stopped = server.stop()
    late.send('\r\n')
    assert.match(await late.untilClosed(), /^HTTP\/1\.1 200 .*connection: close/is)
    release()
    await stopped
  })

  it('closes a connection soon after an answer whose headers were sent before', async () => {
    const server = await echoServer()
    const { promise: rest, resolve: finish } = Promise.withResolvers<string>()
    server.app.get('/stream', { config: { access: 'public' } }, async (_request, reply) => {
      return reply.send(
        Readable.from(
          (async function* () {
            yield 'first '
            yield await rest
          })(),
        ),
      )
    })
    const { port } = await server.listen(anyPort)
    using raw = await rawSocket(port)
    raw.send(get('/stream'))
    await raw.until('first')
    const stopped = server.stop()
    finish('last')
    assert.match(await raw.untilClosed(), /last/)
    await stopped
  })

  it('cuts off at the deadline what is left, says so, and is done', async () => {
    const { server, port, entered } = await slowServer()
    using raw = await rawSocket(port)
    raw.send(get('/slow'))
    await entered
    await assert.rejects(server.stop({ deadlineMs: 50 }), (error) => hasCode(error, 'STOP_TIMEOUT'))
    assert.equal(await raw.untilClosed(), '')
    await until(() => server.connections === 0, 'the connection to be gone')
  })

  it('stopping twice is stopping once, and a server that never listened stops too', async () => {
    const server = await echoServer()
    await Promise.all([server.stop(), server.stop()])
    await server.stop()
  })

  async function rawSocketSoon(port: number): Promise<void> {
    // Closing the listener takes a turn of the event loop or two.
    for (let turn = 0; turn < 50; turn++) {
      using _ = await rawSocket(port)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
})
