import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { testDatabase } from '@headrace/database/testing'
import { Workplace } from './fixtures/headrace.ts'

describe('commands, where modules have databases of their own', { timeout: 240_000 }, () => {
  it('bring all of them up to date, each with what belongs there, and work on the one that is named', async () => {
    await using place = await Workplace.make()
    await using main = await testDatabase({ name: 'cli_main' })
    await using orders = await testDatabase({ name: 'cli_orders' })
    const env = { DATABASE_URL: main.url, ORDERS_DATABASE_URL: orders.url }
    const migrated = await place.run(['migrate'], env)
    assert.equal(migrated.code, 0, migrated.stderr)

    const schemas = "select nspname from pg_namespace where nspname in ('orders', 'payments') order by 1"
    const read = async (...options: string[]) => {
      const { code, stdout, stderr } = await place.run([...options, 'sql', '--json', schemas], env)
      assert.equal(code, 0, stderr)
      return (JSON.parse(stdout) as { nspname: string }[]).map(({ nspname }) => nspname)
    }
    assert.deepEqual(await read('--database', 'orders'), ['orders'])
    assert.deepEqual(await read(), ['orders', 'payments'])

    const queues = await place.run(['--database', 'orders', 'queues', '--json'], env)
    assert.equal(queues.code, 0, queues.stderr)
  })

  it('name the databases that there are where an unknown one is asked for', async () => {
    await using place = await Workplace.make()
    const { code, stderr } = await place.run(['--database', 'oders', 'queues'], { DATABASE_URL: 'postgres://x/y' })
    assert.equal(code, 2)
    assert.match(stderr, /'oders'.*orders, payments/)
  })
})
