import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import { describe, it } from 'node:test'
import { hasCode, PlatformError } from '@headrace/runtime'
import { remoteIntake } from '../src/intake/remote-intake.ts'
import { queueMessages } from '../src/wire/queue-message.ts'

interface Fake extends AsyncDisposable {
  readonly url: string
}

/** A processor that answers as it is told. */
async function processor(answer: RequestListener): Promise<Fake> {
  const server: Server = createServer(answer).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number } // a TCP server's address
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const toQueueMessage = queueMessages({ encoding: 'protobuf', limitBytes: 921_600 })
const message = toQueueMessage({
  id: 'm1',
  timestamp: 1,
  source: 's',
  payload: Buffer.from('hi'),
  metadata: { a: 'b' },
})

function problem(status: number, code: string): RequestListener {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify({ code }))
  }
}

async function outcome(urls: readonly string[], timeoutMs = 2_000): Promise<PlatformError> {
  const intake = remoteIntake({ urls, timeoutMs })
  try {
    await intake.accept({ messages: [message] })
  } catch (error) {
    assert.ok(error instanceof PlatformError)
    return error
  } finally {
    await intake.close()
  }
  throw new Error('it was accepted')
}

const nobody = 'http://127.0.0.1:1'

describe('handing over to the processor’s memory', { timeout: 240_000 }, () => {
  it('sends messages as JSON, with the internal token', async () => {
    const received: { headers: unknown; body: unknown }[] = []
    await using there = await processor(async (request, response) => {
      const chunks = await request.toArray()
      received.push({ headers: request.headers['authorization'], body: JSON.parse(Buffer.concat(chunks).toString()) })
      response.writeHead(202).end('{"accepted":1}')
    })
    const intake = remoteIntake({ urls: [there.url], internalToken: 'secret' })
    await intake.accept({ messages: [message] })
    await intake.close()
    const body = [{ id: 'm1', timestamp: 1, source: 's', payload: 'aGk=', metadata: { a: 'b' } }]
    assert.deepEqual(received, [{ headers: 'Bearer secret', body }])
  })

  it('has accepted nothing when the connection is refused', async () => {
    assert.ok(hasCode(await outcome([nobody]), 'QUEUE_UNAVAILABLE'))
  })

  it('goes to the next processor when one cannot be reached', async () => {
    await using there = await processor((_request, response) => response.writeHead(202).end('{"accepted":1}'))
    for (const urls of [
      [nobody, there.url],
      [there.url, nobody],
    ]) {
      const intake = remoteIntake({ urls })
      await intake.accept({ messages: [message] })
      await intake.close()
    }
  })

  it('does not know the outcome when no answer comes in time, and names the message', async () => {
    await using there = await processor(() => {})
    const error = await outcome([there.url], 100)
    assert.ok(hasCode(error, 'OUTCOME_UNKNOWN'))
    assert.deepEqual(error.details, { messageId: 'm1', providers: ['memory'] })
  })

  it('begins each of many requests at once, however long the processor takes', async () => {
    let asked = 0
    const all = Promise.withResolvers<void>()
    await using there = await processor(() => {
      asked += 1
      if (asked === 128) all.resolve()
    })
    const intake = remoteIntake({ urls: [there.url], timeoutMs: 100_000 })
    const requests = Array.from({ length: 128 }, () => intake.accept({ messages: [message] }))
    const ended = Promise.allSettled(requests)
    await all.promise
    await there[Symbol.asyncDispose]()
    await ended
    await intake.close()
  })

  it('does not know the outcome when the connection breaks, and asks nobody else', async () => {
    let asked = 0
    await using there = await processor((request) => {
      asked += 1
      request.socket.destroy()
    })
    assert.ok(hasCode(await outcome([there.url, there.url.replace('127.0.0.1', 'localhost')]), 'OUTCOME_UNKNOWN'))
    assert.equal(asked, 1)
  })

  for (const [status, code, expected] of [
    [503, 'queue_full', 'QUEUE_FULL'],
    [503, 'queue_unavailable', 'QUEUE_UNAVAILABLE'],
    [503, 'outcome_unknown', 'OUTCOME_UNKNOWN'],
    [500, 'internal', 'OUTCOME_UNKNOWN'],
    [502, '', 'OUTCOME_UNKNOWN'],
    [413, 'message_too_large', 'MESSAGE_TOO_LARGE'],
    [401, 'unauthorized', 'QUEUE_UNAVAILABLE'],
  ] as const) {
    it(`tells ${status} ${code || 'without a code'} as ${expected}`, async () => {
      await using there = await processor(problem(status, code))
      assert.equal((await outcome([there.url])).code, expected)
    })
  }
})
