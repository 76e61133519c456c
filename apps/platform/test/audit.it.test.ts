import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openDatabase } from '@headrace/database'
import { untilTrue } from '@headrace/database/testing'
import { headrace } from '../src/cli/headrace.ts'
import type { Terminal } from '../src/cli/terminal.ts'
import { testPlatform } from './support/platform.ts'
import { shopAt } from './support/shop.ts'

interface Audited {
  readonly exitCode: number
  readonly wrong: Readonly<Record<string, readonly string[]>>
}

/** What `headrace audit` says of a database. */
async function audit(databaseUrl: string): Promise<Audited> {
  let printed = ''
  const terminal: Terminal = {
    env: { DATABASE_URL: databaseUrl },
    interactive: false,
    outputIsTerminal: false,
    out: (line) => void (printed += `${line}\n`),
    err: (line) => void (printed += `${line}\n`),
    ask: async () => '',
    stopRequested: () => new Promise(() => {}),
  }
  const exitCode = await headrace(['audit', '--json', '--patience', '2000'], terminal)
  const lines = JSON.parse(printed) as { rule: string; wrong: string[]; checked: number }[]
  const broken = lines.filter(({ wrong }) => wrong.length > 0)
  return { exitCode, wrong: Object.fromEntries(broken.map(({ rule, wrong }) => [rule, wrong])) }
}

describe('headrace audit', { timeout: 240_000 }, () => {
  it('finds nothing where all is well, and each thing that is wrong, by its id', async () => {
    await using platform = await testPlatform({ only: 'payments,orders,gateway' })
    const shop = shopAt(platform.at('gateway'))
    const user = await shop.openAccount()
    await shop.topUp(user, 500)
    const { body: order } = await shop.order(user, 100)
    await untilTrue('it is paid', async () => (await shop.orderOf(order['id'])).body['status'] === 'paid')
    assert.deepEqual(await audit(platform.databaseUrl), { exitCode: 0, wrong: {} })

    await using database = openDatabase({ url: platform.databaseUrl, maxConnections: 1 })
    const { body: payment } = await shop.paymentOf(order['id'])
    const broken = async (text: string, mend: string) => {
      await database.query({ text })
      const found = await audit(platform.databaseUrl)
      await database.query({ text: mend })
      assert.equal(found.exitCode, 1, text)
      return found.wrong
    }
    assert.deepEqual(
      await broken(
        'update payments.account set balance_minor = 1',
        'update payments.account set balance_minor = 40000',
      ),
      { 'every balance is the sum of its entries and not negative': [user] },
    )
    const line = `where kind = 'payment' and house is not null`
    const unbalanced = await broken(
      `update payments.entry set amount_minor = 9999 ${line}`,
      `update payments.entry set amount_minor = 10000 ${line}`,
    )
    assert.deepEqual(unbalanced, {
      'the ledger sums to zero': ['sum -1'],
      'every movement has two lines that sum to zero': [payment['transaction_id']],
    })
    const status = (wanted: string) => `update orders.customer_order set status = '${wanted}'`
    assert.deepEqual(await broken(status('payment_failed'), status('paid')), {
      'every order agrees with its payment': [order['id']],
    })
    assert.deepEqual(await broken(status('created'), status('paid')), {
      'every order agrees with its payment': [order['id']],
    })
    const other = '00000000-0000-7000-8000-000000000001'
    const renamed = (id: unknown, wanted: string) =>
      `update orders.customer_order set id = '${id}', status = '${wanted}'`
    const lost = await broken(renamed(other, 'created'), renamed(order['id'], 'paid'))
    assert.deepEqual(lost, {
      'every order agrees with its payment': [other],
      'every payment belongs to an order': [order['id']],
    })
    const owned = (id: string) => `update orders.customer_order set user_id = '${id}'`
    assert.deepEqual(await broken(owned(other), owned(user)), { 'every order agrees with its payment': [order['id']] })
    const pay = (wanted: string, id: unknown) =>
      `update payments.payment set status = '${wanted}', transaction_id = ${id === null ? 'null' : `'${id}'`}`
    assert.deepEqual(await broken(pay('failed', null), pay('completed', payment['transaction_id'])), {
      'a payment is debited once if completed, and given back once if refunded': [payment['id']],
      'every order agrees with its payment': [order['id']],
    })
    const head = (by: string) =>
      `update headrace.log_head set next_offset = next_offset ${by} 1 where topic = 'orders-events' and next_offset > 1`
    const found = await broken(head('+'), head('-'))
    assert.deepEqual(Object.keys(found), ['the log is gapless up to its heads'])
    assert.deepEqual((await audit(platform.databaseUrl)).wrong, {})
    await database.query({ text: 'delete from headrace.live_event' })
    const rules = Object.keys((await audit(platform.databaseUrl)).wrong)
    assert.deepEqual(rules, ['every live stream is numbered without holes up to its head'])
  })
})
