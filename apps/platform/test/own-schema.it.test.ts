import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openDatabase } from '@headrace/database'
import { testDatabase, untilTrue } from '@headrace/database/testing'
import { createLogger } from '@headrace/runtime'
import { startPlatform } from '../src/platform.ts'
import { person } from './support/people.ts'
import { get, post, testPlatform } from './support/platform.ts'

const user = '01a1fec8-9334-731e-973e-d32198d0131e'

/** A module alone, and calls that make it read and write everything it has. */
interface Alone {
  readonly only: string
  readonly schema: string
  calls(url: string): Promise<void>
}

const modules: readonly Alone[] = [
  {
    only: 'pipeline',
    schema: 'pipeline',
    async calls(url) {
      const { body } = await post(`${url}/ingest`, { source: 's', data: 'd' }, { 'idempotency-key': 'k' })
      const message = `${url}/api/v1/messages/${body['messageId']}`
      await untilTrue('processed', async () => (await get(message)).body['status'] === 'processed', 30_000)
    },
  },
  {
    only: 'auth',
    schema: 'auth',
    async calls(url) {
      const { headers } = await person(url)
      assert.equal((await get(`${url}/api/v1/me`, headers)).status, 200)
    },
  },
  {
    only: 'payments',
    schema: 'payments',
    async calls(url) {
      await post(`${url}/payments-api/accounts`, { user_id: user })
      assert.equal((await post(`${url}/payments-api/accounts/${user}/topup`, { amount: 5 })).status, 200)
      assert.equal((await get(`${url}/payments-api/accounts/${user}/entries`)).status, 200)
    },
  },
  {
    only: 'orders',
    schema: 'orders',
    async calls(url) {
      // Payments cannot be asked whether there is such an account: the order is taken, and the payment would fail later.
      const { status, body } = await post(`${url}/orders-api/orders`, { user_id: user, amount: 5 })
      assert.equal(status, 201)
      assert.equal((await post(`${url}/orders-api/orders/${body['id']}/cancel`, {})).status, 200)
      assert.equal((await get(`${url}/orders-api/orders/user/${user}`)).status, 200)
    },
  },
  {
    only: 'order-lookup',
    schema: 'order_lookup',
    async calls(url) {
      assert.equal((await get(`${url}/order/none`)).status, 404)
      assert.equal((await get(`${url}/api/v1/orders`)).status, 200)
    },
  },
  {
    only: 'order-intake:api',
    schema: 'order_intake_api',
    async calls(url) {
      const { status, body } = await post(`${url}/orders?wait=false`, { user_id: user, payload: { amount: 1 } })
      assert.equal(status, 202)
      assert.equal((await get(`${url}/orders/${body['order_id']}`)).status, 200)
    },
  },
]

/** Everything is migrated by the database's owner; then a module runs as a user that reaches only what is its own. */
describe('a module runs with rights to nothing but the packages’ tables and its own schema', {
  timeout: 240_000,
}, () => {
  for (const { only, schema, calls } of modules) {
    it(`${only}, in ${schema}`, async () => {
      await using owner = await testDatabase({ name: 'own_schema' })
      {
        await using _migrating = await testPlatform({ env: { DATABASE_URL: owner.url } })
      }
      const lines: string[] = []
      const logger = createLogger({ level: 'warn', format: 'json', destination: { write: (line) => lines.push(line) } })
      const env = {
        DATABASE_URL: await restrictedUser(owner.url, schema),
        API_PORT: '0',
        INGEST_PORT: 'off',
        PROCESSOR_PORT: 'off',
        CALCULATOR_PORT: 'off',
        INTERNAL_PORT: '0',
        JWT_SECRET: 'a secret for tests, longer than 32 bytes',
      }
      await using platform = await startPlatform({ env, only, migrate: false, logger })
      const url = platform.addresses.find(({ name }) => name === 'public')?.url ?? ''
      await calls(url)
      assert.deepEqual(
        lines.filter((line) => line.includes('permission denied')),
        [],
      )
    })
  }
})

/** The address of the database for a new user with rights to two schemas. It stays behind, with rights to nothing. */
async function restrictedUser(url: string, schema: string): Promise<string> {
  const restricted = new URL(url)
  restricted.username = `only_${restricted.pathname.slice(1)}`
  restricted.password = 'restricted'
  await using database = openDatabase({ url, maxConnections: 1 })
  const grants = ['headrace', schema].map(
    (name) => `
      grant usage on schema ${name} to ${restricted.username};
      grant all on all tables in schema ${name} to ${restricted.username};
      grant all on all sequences in schema ${name} to ${restricted.username};`,
  )
  await database.query({
    text: `create role ${restricted.username} login password '${restricted.password}'; ${grants.join('')}`,
  })
  return restricted.href
}
