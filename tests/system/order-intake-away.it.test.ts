import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { testDatabase, untilTrue } from '@headrace/database/testing'
import { Redis } from 'ioredis'
import { startKafka, startRedis, type TestService } from '../../tools/services/testing.ts'
import { freePorts, startHeadrace } from '../support/headrace.ts'

const deadlineMs = 120_000
const kcat = '/usr/bin/kcat'

interface Order {
  readonly status: string
  readonly amount: number
  readonly external_id?: string
}

describe('order intake over Kafka, Redis and a database each', { timeout: 300_000 }, () => {
  const stack = new AsyncDisposableStack()
  let [kafka, redis]: TestService[] = []
  let url = ''
  before(async () => {
    ;[kafka, redis] = await Promise.all([startKafka(), startRedis()])
    stack.use(kafka)
    stack.use(redis)
    url = await startIntake(stack, {
      QUEUE_TYPE: 'kafka',
      KAFKA_BROKERS: kafka.address,
      REDIS_ADDR: redis.address,
      ACK_TIMEOUT_MS: '1500',
    })
  })
  after(() => stack.disposeAsync())

  const orderOf = async (id: string): Promise<Order | undefined> => {
    const { order } = (await (await fetch(`${url}/orders/${id}`)).json()) as { order?: Order }
    return order
  }
  const isDone = async (id: string) => (await orderOf(id))?.status === 'done'

  for (const name of ['Redis', 'Kafka'] as const) {
    it(`an order that is placed while ${name} is away is answered 202, and done once ${name} is back`, async () => {
      const service = name === 'Redis' ? redis : kafka
      await service?.kill()
      const body = JSON.stringify({ user_id: randomUUID(), payload: { amount: 7 } })
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(`${url}/orders`, { method: 'POST', headers, body })
      const { order_id, status } = (await answer.json()) as { order_id: string; status: string }
      assert.deepEqual([answer.status, status], [202, 'accepted'])
      assert.equal((await orderOf(order_id))?.status, 'new')
      await service?.start()
      await untilTrue('the order is done', () => isDone(order_id), deadlineMs)
      assert.match((await resultIn(redis?.address ?? '', order_id)) ?? '', /"amount":7/)
    })
  }

  const skip = existsSync(kcat) ? false : `there is no ${kcat}`
  it('an event that others write to Kafka makes an order, and is acknowledged by an id of its place', {
    skip,
  }, async () => {
    const [order_id, user_id] = [randomUUID(), randomUUID()]
    const event = { order_id, user_id, external_id: 'theirs', payload: { amount: 3 }, status: 'new' }
    const writing = spawn(kcat, ['-P', '-b', kafka?.address ?? '', '-t', 'orders.events'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    })
    writing.stdin.end(JSON.stringify(event))
    await once(writing, 'exit')
    await untilTrue('the order is done', () => isDone(order_id), deadlineMs)
    const { amount, external_id } = (await orderOf(order_id)) ?? {}
    assert.deepEqual([amount, external_id], [3, 'theirs'])
    const acks = await everythingIn('orders.ack', kafka?.address ?? '')
    const ack = acks
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .find((each) => each['order_id'] === order_id)
    assert.equal(ack?.['status'], 'created')
    assert.match(String(ack?.['event_id']), /^[\da-f]{8}-[\da-f]{4}-5/)
  })
})

/** Starts api and worker; returns where the api answers. */
async function startIntake(stack: AsyncDisposableStack, settings: Readonly<Record<string, string>>): Promise<string> {
  const api = stack.use(await testDatabase({ name: 'intake_api' }))
  const worker = stack.use(await testDatabase({ name: 'intake_worker' }))
  const [port = 0, internal = 0] = await freePorts(2)
  const environment = { ...settings, API_POSTGRES_DSN: api.url, WORKER_POSTGRES_DSN: worker.url }
  const start = async (role: string, at: number, ports: Readonly<Record<string, string>>) => {
    const args = ['--only', `order-intake:${role}`]
    stack.use(
      await startHeadrace({
        args,
        url: `http://127.0.0.1:${at}`,
        environment: { ...environment, ...ports },
        deadlineMs,
      }),
    )
  }
  // Each reads the other's log: neither is there before the other.
  await Promise.all([
    start('api', port, { PORT: String(port), INTERNAL_PORT: '0' }),
    start('worker', internal, { INTERNAL_PORT: String(internal) }),
  ])
  return `http://127.0.0.1:${port}`
}

async function resultIn(address: string, orderId: string): Promise<string | null> {
  const client = new Redis(`redis://${address}`)
  try {
    return await client.get(`order_result:${orderId}`)
  } finally {
    client.disconnect()
  }
}

async function everythingIn(topic: string, brokers: string): Promise<string[]> {
  const args = ['-C', '-q', '-e', '-b', brokers, '-t', topic, '-o', 'beginning', '-f', '%s\\n']
  const { stdout } = await promisify(execFile)(kcat, args)
  return stdout.split('\n').filter((line) => line !== '')
}
