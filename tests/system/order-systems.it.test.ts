import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { testDatabase, untilTrue } from '@headrace/database/testing'
import { exampleOrder } from '../../modules/order-lookup/test/support/orders.ts'
import { startKafka } from '../../tools/services/testing.ts'
import { freePorts, startHeadrace } from '../support/headrace.ts'

type Environment = Readonly<Record<string, string>>

/** Order lookup and order intake as they are deployed. */
interface Deployment extends AsyncDisposable {
  readonly url: string
  /** What `make produce-orders` is to be told. */
  readonly environment: Environment
}

const quiet = {
  INGEST_PORT: 'off',
  PROCESSOR_PORT: 'off',
  CALCULATOR_PORT: 'off',
  CONSOLE_PORT: 'off',
  INTERNAL_PORT: '0',
}
const deadlineMs = 120_000

async function inOneProcess(settings: Environment): Promise<Deployment> {
  await using stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'headrace-orders-'))
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const [port = 0] = await freePorts(1)
  const url = `http://127.0.0.1:${port}`
  const environment = { ...settings, ...quiet, HEADRACE_DATA: directory }
  stack.use(await startHeadrace({ environment: { ...environment, API_PORT: String(port) }, url, deadlineMs }))
  const parts = stack.move()
  return { url, environment, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

/** Each role in a process of its own; lookup, api and worker with a database each. */
async function apart(settings: Environment): Promise<Deployment> {
  await using stack = new AsyncDisposableStack()
  const [main, api, worker] = [
    stack.use(await testDatabase({ name: 'lookup' })),
    stack.use(await testDatabase({ name: 'intake_api' })),
    stack.use(await testDatabase({ name: 'intake_worker' })),
  ]
  const ports = await freePorts(4)
  const [url = '', lookupUrl = '', intakeUrl = '', workerUrl = ''] = ports.map((port) => `http://127.0.0.1:${port}`)
  const environment = {
    ...settings,
    ...quiet,
    DATABASE_URL: main.url,
    API_POSTGRES_DSN: api.url,
    WORKER_POSTGRES_DSN: worker.url,
    ORDER_LOOKUP_URL: lookupUrl,
    ORDER_INTAKE_URL: intakeUrl,
  }
  const start = async (only: string, at: string, more: Environment) => {
    const options = { args: ['--only', only], url: at, environment: { ...environment, ...more }, deadlineMs }
    stack.use(await startHeadrace(options))
  }
  const portOf = (index: number) => String(ports[index])
  await start('order-lookup', lookupUrl, { ORDER_LOOKUP_PORT: portOf(1) })
  // Each reads the other's log: neither is there before the other.
  await Promise.all([
    start('order-intake:api', intakeUrl, { PORT: portOf(2) }),
    start('order-intake:worker', workerUrl, { INTERNAL_PORT: portOf(3) }),
  ])
  // The gateway is ready once ingest and the processor are.
  await start('gateway,pipeline', url, { API_PORT: portOf(0) })
  const parts = stack.move()
  return { url, environment, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

const deployments = { 'in one process': inOneProcess, 'in processes and databases of their own': apart }

for (const [name, deploy] of Object.entries(deployments)) {
  for (const carrier of ['postgres', 'kafka'] as const) {
    describe(`order lookup and order intake ${name} on ${carrier}`, { timeout: 300_000 }, () => {
      it('store and find what is produced, and acknowledge what is asked for', async () => {
        await using stack = new AsyncDisposableStack()
        const kafka = carrier === 'kafka' ? stack.use(await startKafka()) : undefined
        const settings: Environment = kafka ? { QUEUE_TYPE: 'kafka', KAFKA_BROKERS: kafka.address } : {}
        const deployment = stack.use(await deploy(settings))
        await lookUpWhatIsProduced(deployment)
        if (kafka !== undefined && existsSync(kcat)) await lookUpWhatKcatWrites(deployment.url, kafka.address)
        await takeOrders(deployment.url)
      })
    })
  }
}

const producer = fileURLToPath(new URL('../../tools/produce-orders.ts', import.meta.url))
const kcat = '/usr/bin/kcat'

async function lookUpWhatIsProduced({ url, environment }: Deployment): Promise<void> {
  const env = { PATH: process.env['PATH'], ...environment }
  const args = [producer, '--count', '200', '--rate', '0', '--invalid', '5%', '--seed', '7']
  const { stdout } = await promisify(execFile)(process.execPath, args, { env })
  const paths = stdout.match(/\/order\/\w+/g) ?? []
  assert.equal(paths.length, 5, stdout)
  for (const path of paths) {
    await untilTrue(`${path} is found`, async () => (await fetch(url + path)).status === 200, deadlineMs)
  }
  const broken = Number(/(\d+) of them broken/.exec(stdout)?.[1])
  const consumer = async () => {
    const answer = await fetch(`${url}/api/v1/order-lookup/stats`)
    return ((await answer.json()) as { consumer: { consumed: number; rejected: number } }).consumer
  }
  await untilTrue('all are consumed', async () => (await consumer()).consumed === 200, deadlineMs)
  assert.equal((await consumer()).rejected, broken)
}

/** As a producer that knows nothing of us: a body, and neither key nor headers. */
async function lookUpWhatKcatWrites(url: string, brokers: string): Promise<void> {
  const example = exampleOrder()
  const child = spawn(kcat, ['-P', '-b', brokers, '-t', 'orders'], { stdio: ['pipe', 'ignore', 'inherit'] })
  child.stdin.end(JSON.stringify(example))
  await once(child, 'exit')
  const found = async () => (await fetch(`${url}/order/${example.order_uid}`)).status === 200
  await untilTrue('what kcat wrote is found', found, deadlineMs)
  assert.deepEqual(await (await fetch(`${url}/order/${example.order_uid}`)).json(), example)
}

async function takeOrders(url: string): Promise<void> {
  const user_id = crypto.randomUUID()
  const place = async (body: object) => {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${url}/orders`, { method: 'POST', headers, body: JSON.stringify({ user_id, ...body }) })
    return { status: answer.status, body: (await answer.json()) as { order_id: string; code?: string } }
  }
  const made = await place({ payload_json: '{"id":42,"items":[{"price":"1.005","qty":3}]}' })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  const { order_id } = made.body
  const read = async (path: string) => {
    const answer = await fetch(`${url}${path}`)
    return { status: answer.status, ...((await answer.json()) as { order: Record<string, unknown> }) }
  }
  const { order } = await read(`/orders/by-external/42?user_id=${user_id}`)
  assert.deepEqual([order['order_id'], order['amount'], order['status']], [order_id, 3.02, 'done'])
  assert.equal((await place({ order_id, payload: { amount: 5 } })).status, 200)
  assert.equal((await place({ order_id, status: 'deleted' })).status, 200)
  assert.equal((await place({ order_id, payload: {} })).body.code, 'order_deleted')
  assert.equal((await read(`/orders/${order_id}`)).order['status'], 'deleted')
  assert.equal((await read(`/orders/by-external/42?user_id=${user_id}`)).status, 404)
}
