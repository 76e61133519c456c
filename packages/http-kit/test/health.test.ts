import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PlatformError } from '@headrace/runtime'
import { readiness } from '../src/index.ts'
import { echoServer } from './test-server.ts'

describe('health', () => {
  it('the process serves', async () => {
    await using server = await echoServer()
    for (const url of ['/health', '/healthz']) {
      const answer = await server.app.inject(url)
      assert.deepEqual([answer.statusCode, answer.json()], [200, { status: 'ok', healthy: true }])
    }
  })

  it('healthz also asks the health probe', async () => {
    const healthProbe = () => Promise.reject(new PlatformError('QUEUE_UNAVAILABLE', 'x'))
    await using server = await echoServer({ healthProbe })
    assert.equal((await server.app.inject('/healthz')).statusCode, 503)
    assert.equal((await server.app.inject('/health')).statusCode, 200)
  })
})

describe('readiness', () => {
  it('names each part as ok or what is wrong, without a driver’s words', async () => {
    const failures: string[] = []
    const parts = readiness(
      {
        database: async () => {},
        broker: () =>
          Promise.reject(new PlatformError('QUEUE_UNAVAILABLE', 'kafka does not answer at kafka://me:pw@b')),
        keyvalue: () => Promise.reject(new Error('ECONNREFUSED 10.0.0.1')),
        'broker:kafka': async () => {
          const cause = new Error('ECONNREFUSED 10.0.0.1')
          throw new PlatformError('QUEUE_UNAVAILABLE', `Kafka does not serve: ${cause.message}`, { cause })
        },
        'broker:nats': () => {
          throw new Error('at once')
        },
      },
      { onFailure: (part, cause) => failures.push(`${part}: ${String(cause)}`) },
    )
    await using server = await echoServer({ readiness: parts })
    const answer = await server.app.inject('/ready')
    assert.equal(answer.statusCode, 503)
    assert.equal(answer.headers['retry-after'], '1')
    assert.deepEqual(answer.json(), {
      status: 'unavailable',
      database: 'ok',
      broker: 'kafka does not answer at kafka://me:***@b',
      keyvalue: 'not available',
      'broker:kafka': 'the queue is not available',
      'broker:nats': 'not available',
    })
    await server.app.inject('/ready')
    assert.equal(failures.length, 4, 'told once, when it begins')
    assert.match(failures.join(), /keyvalue: Error: ECONNREFUSED 10\.0\.0\.1/)
  })

  it('is ready when all parts are, and again after one has recovered', async () => {
    let isAway = false
    const parts = readiness({ database: () => (isAway ? Promise.reject(new Error('away')) : Promise.resolve()) })
    await using server = await echoServer({ readiness: parts })
    assert.deepEqual((await server.app.inject('/ready')).json(), { status: 'ready', database: 'ok' })
    isAway = true
    assert.equal((await server.app.inject('/ready')).statusCode, 503)
    isAway = false
    assert.equal((await server.app.inject('/ready')).statusCode, 200)
  })

  it('checks that come together ask each part once', async () => {
    let asked = 0
    const parts = readiness({
      database: async () => {
        asked += 1
        await new Promise((resolve) => setImmediate(resolve))
      },
    })
    await Promise.all([parts.check(), parts.check(), parts.check()])
    assert.equal(asked, 1)
    await parts.check()
    assert.equal(asked, 2)
  })

  it('a part that hangs is said to, is told to give up, and is not asked again beside itself', async () => {
    let asked = 0
    let gaveUp = false
    const parts = readiness(
      {
        broker: (signal) => {
          asked += 1
          signal.addEventListener('abort', () => {
            gaveUp = true
          })
          return new Promise(() => {})
        },
      },
      { timeLimitMs: 10 },
    )
    assert.deepEqual(await parts.check(), { isReady: false, parts: { broker: 'no answer within 10 ms' } })
    await parts.check()
    assert.deepEqual([asked, gaveUp], [1, true])
  })

  it('a part cannot be named status', () => {
    assert.throws(() => readiness({ status: async () => {} }), RangeError)
  })
})
