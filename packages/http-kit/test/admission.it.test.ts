import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { admission, withAdmission } from '../src/index.ts'
import { post, rawSocket } from './raw-socket.ts'
import { echoServer } from './test-server.ts'
import { until } from './until.ts'

async function gatedServer(limit: number, isFull?: () => boolean) {
  const gate = admission({ limit, retryAfterS: 2, ...(isFull && { isFull }) })
  const server = await echoServer()
  const release = Promise.withResolvers<void>()
  const hook = { onRequest: gate.onRequest }
  server.app.post('/gated', { config: { access: 'public' }, ...hook }, async () => {
    await release.promise
    return { done: true }
  })
  const { port } = await server.listen({ port: 0, variable: 'API_PORT' })
  return { server, gate, port, release: release.resolve }
}

describe('admission', () => {
  it('is shared by the routes that are added with it, and asked of no other', async () => {
    await using server = await echoServer()
    const release = Promise.withResolvers<void>()
    let inFlight = 0
    withAdmission(server.app, { limit: 2 }, (scope) => {
      for (const path of ['/one', '/other']) {
        scope.get(path, { config: { access: 'public' } }, async () => {
          inFlight += 1
          await release.promise
          return {}
        })
      }
    })
    server.app.get('/apart', { config: { access: 'public' } }, async () => ({}))
    const waiting = ['/one', '/other'].map((path) => server.app.inject(path))
    await until(() => inFlight === 2, 'two in flight')
    const statusOf = async (path: string) => (await server.app.inject(path)).statusCode
    assert.deepEqual([await statusOf('/one'), await statusOf('/other'), await statusOf('/apart')], [503, 503, 200])
    release.resolve()
    for (const answer of await Promise.all(waiting)) assert.equal(answer.statusCode, 200)
  })

  it('refuses with queue_full before the body is read, and takes again when one is done', async () => {
    const { server, gate, port, release } = await gatedServer(2)
    await using _ = server
    using first = await rawSocket(port)
    using second = await rawSocket(port)
    using third = await rawSocket(port)
    first.send(post('/gated', '{}'))
    second.send(post('/gated', '{}'))
    await until(() => gate.inFlight === 2, 'two in flight')
    third.send('POST /gated HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n')
    const refused = await third.until('"error"')
    assert.match(refused, /^HTTP\/1\.1 503 .*retry-after: 2.*"code":"queue_full"/is)
    assert.equal(gate.refused, 1)
    release()
    await first.until('"done"')
    await until(() => gate.inFlight === 0, 'none in flight')
    first.send(post('/gated', '{}'))
    await until(() => gate.inFlight === 0, 'none in flight')
  })

  it('refuses while the queue behind it is full', async () => {
    let isFull = true
    const { server, release } = await gatedServer(100, () => isFull)
    await using _ = server
    release()
    const ask = () => server.app.inject({ method: 'POST', url: '/gated', payload: {} })
    assert.equal((await ask()).statusCode, 503)
    isFull = false
    assert.equal((await ask()).statusCode, 200)
  })

  it('a caller that leaves gives its place back, also amid its body and behind another request', async () => {
    const { server, gate, port, release } = await gatedServer(10)
    await using _ = server
    {
      using waiting = await rawSocket(port)
      waiting.send(post('/gated', '{}'))
      using half = await rawSocket(port)
      half.send('POST /gated HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{')
      using pipelining = await rawSocket(port)
      pipelining.send(post('/gated', '{}').repeat(3))
      await until(() => gate.inFlight === 5, 'five in flight')
    }
    await until(() => gate.inFlight === 0, 'all places to be free')
    release()
  })

  it('many requests over few connections leave no place taken', async () => {
    const { server, gate, port, release } = await gatedServer(10)
    await using _ = server
    release()
    using raw = await rawSocket(port)
    raw.send(post('/gated', '{}').repeat(10))
    await until(() => gate.inFlight === 0 && raw.socket.bytesRead > 1000, 'ten answers')
    for (let index = 0; index < 20; index++) await fetch(`http://127.0.0.1:${port}/gated`, { method: 'POST' })
    await until(() => gate.inFlight === 0, 'all places to be free')
    assert.equal(gate.refused, 0)
  })
})
