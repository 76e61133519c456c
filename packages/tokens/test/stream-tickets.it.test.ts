import assert from 'node:assert/strict'
import { it } from 'node:test'
import { databaseMigrations, migrate, openDatabase } from '@headrace/database'
import { testDatabase } from '@headrace/database/testing'
import { keyvalueMigrations, tableKeyValue } from '@headrace/keyvalue'
import { streamTickets } from '../src/index.ts'
import { subject } from './forge.ts'

const route = '/things/stream'

async function testTickets() {
  await using stack = new AsyncDisposableStack()
  const { url } = stack.use(await testDatabase({ name: 'tickets' }))
  const database = stack.use(openDatabase({ url, maxConnections: 4, onError: () => {} }))
  await migrate(database, [databaseMigrations, keyvalueMigrations])
  const owned = stack.move()
  const tickets = streamTickets({ keyvalue: tableKeyValue(database), reuseS: 1000 })
  return {
    database,
    ...tickets,
    /** Makes what is stored so many seconds older. */
    async age(seconds: number): Promise<void> {
      const text = "update headrace.keyvalue set expires_at = expires_at - $1 * interval '1 second'"
      await database.query({ text, values: [seconds] })
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

it('a ticket is first used within 60 s', async () => {
  await using tickets = await testTickets()
  const early = await tickets.issue(subject, route)
  await tickets.age(59)
  assert.deepEqual(await tickets.redeem(early, route), subject)
  const late = await tickets.issue(subject, route)
  await tickets.age(61)
  assert.equal(await tickets.redeem(late, route), undefined)
})

it('from its first use on it is good for its time, however often it is used, also by several at once', async () => {
  await using tickets = await testTickets()
  const ticket = await tickets.issue(subject, route)
  const uses = await Promise.all([1, 2, 3, 4, 5].map(() => tickets.redeem(ticket, route)))
  assert.deepEqual(uses, [subject, subject, subject, subject, subject])
  await tickets.age(900)
  assert.deepEqual(await tickets.redeem(ticket, route), subject)
  await tickets.age(101)
  assert.equal(await tickets.redeem(ticket, route), undefined, 'using it did not prolong it')
})

it('shown at another route it is refused, and its time does not begin', async () => {
  await using tickets = await testTickets()
  const ticket = await tickets.issue(subject, route)
  assert.equal(await tickets.redeem(ticket, '/other/stream'), undefined)
  await tickets.age(61)
  assert.equal(await tickets.redeem(ticket, route), undefined)
})

it('what is no ticket is refused without asking the store', async () => {
  const asked = () => assert.fail('asked')
  const tickets = streamTickets({ keyvalue: { get: asked } as never, reuseS: 1 })
  for (const text of ['', 'x', 'x'.repeat(42), 'x'.repeat(44), `${'x'.repeat(42)}\n`, `${'x'.repeat(42)}'`]) {
    assert.equal(await tickets.redeem(text, route), undefined)
  }
})

it('only its digest is stored', async () => {
  await using tickets = await testTickets()
  const ticket = await tickets.issue(subject, route)
  const { rows } = await tickets.database.query({ text: 'select key, value from headrace.keyvalue' })
  assert.equal(rows.length, 1)
  assert.ok(!JSON.stringify(rows).includes(ticket))
})
