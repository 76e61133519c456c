import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { testDatabase } from '@headrace/database/testing'
import { type Environment, readSettings } from '@headrace/runtime'
import { selection } from '../src/catalogue.ts'
import { platformSettings } from '../src/settings.ts'
import { person } from './support/people.ts'
import { get, post, type TestPlatform, testPlatform } from './support/platform.ts'

interface Split extends AsyncDisposable {
  readonly gateway: TestPlatform
  readonly auth: TestPlatform
  readonly orders: TestPlatform
}

/** Accounts, orders and the gateway, each in a process of its own; only the gateway asks for tokens. */
async function split(): Promise<Split> {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(await testDatabase())
  const env = { DATABASE_URL: database.url, LOGIN_MAX_FAILURES_PER_ADDRESS: '3' }
  const auth = stack.use(await testPlatform({ only: 'auth', env: { ...env, PORT: '0' } }))
  const orders = stack.use(await testPlatform({ only: 'orders,payments', env: { ...env, PORT: '0' } }))
  const urls = { AUTH_URL: auth.at('public'), ORDERS_URL: orders.at('public'), PAYMENTS_URL: orders.at('public') }
  const outside = { AUTH_REQUIRED: 'true' }
  const gateway = stack.use(await testPlatform({ only: 'gateway', env: { ...env, ...urls, ...outside } }))
  const owned = stack.move()
  return { gateway, auth, orders, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

describe('with the gateway, accounts and orders in processes of their own', { timeout: 240_000 }, () => {
  it('tokens are asked for where the world comes in, and a ticket opens its stream behind it', async () => {
    await using processes = await split()
    const url = processes.gateway.at('gateway')
    const ann = await person(url)
    await post(`${url}/payments-api/accounts`, {}, ann.headers)
    assert.equal((await get(`${url}/payments-api/accounts/${ann.uid}`, ann.headers)).status, 200)
    const path = '/orders-api/orders/stream'
    for (const asked of [`/payments-api/accounts/${ann.uid}`, '/orders-api/orders/1', path]) {
      assert.equal((await get(`${url}${asked}`)).status, 401, asked)
      assert.equal((await get(`${url}${asked}`, { authorization: 'Bearer x' })).status, 401, asked)
      assert.equal((await get(`${url}${asked}?ticket=x`)).status, 401, `${asked} with a made-up ticket`)
    }
    const { body } = await post(`${url}/api/v1/stream-ticket`, { route: path }, ann.headers)
    const opened = await fetch(`${url}${path}?ticket=${body['ticket']}`)
    assert.equal(opened.status, 200)
    await opened.body?.cancel()
    const elsewhere = await get(`${url}/payments-api/accounts/${ann.uid}?ticket=${body['ticket']}`)
    assert.equal(elsewhere.status, 401, 'a ticket is no token, also for a module that asks for none')
  })

  it('failures are counted by where they come from: the gateway says it, and callers may not', async () => {
    await using processes = await split()
    const claimed = await failuresFrom(processes.gateway, ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'])
    assert.deepEqual(claimed, [401, 401, 401, 429], 'whatever is said, it is this machine that fails')
  })

  it('a trusted proxy may say where they come from', async () => {
    const env = { LOGIN_MAX_FAILURES_PER_ADDRESS: '2', TRUSTED_PROXIES: '127.0.0.1' }
    await using running = await testPlatform({ only: 'auth,gateway', env })
    const statuses = await failuresFrom(running, ['10.0.0.1', '10.0.0.1', '10.0.0.1', '10.0.0.2'])
    assert.deepEqual(statuses, [401, 401, 429, 401])
  })
})

it('a process whose modules have databases of their own leaves the embedded one to the process that has it', () => {
  const stationsOf = (env: Environment) => [...selection('orders', readSettings(platformSettings, env)).stations]
  const server = 'postgres://localhost/x'
  assert.deepEqual(stationsOf({ ORDERS_DATABASE_URL: server }), ['orders'])
  assert.deepEqual(stationsOf({ ORDERS_DATABASE_URL: server, DATABASE_URL: server }), ['orders', 'auth'])
  assert.deepEqual(stationsOf({}), ['orders', 'auth'])
})

/** What failed logins of different accounts are answered that say they come from these addresses. */
async function failuresFrom(running: TestPlatform, addresses: readonly string[]): Promise<number[]> {
  const statuses: number[] = []
  for (const from of addresses) {
    const credentials = { email: `${crypto.randomUUID()}@example.com`, password: 'wrong horse' }
    const { status } = await post(`${running.at('gateway')}/login`, credentials, { 'x-forwarded-for': from })
    statuses.push(status)
  }
  return statuses
}
