import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { chromium } from 'playwright-core'
import { exampleItem, exampleOrder, orderNumber, ordersMessage } from './support/orders.ts'
import { startReplica } from './support/replica.ts'

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
const skip = existsSync(executablePath) ? false : `there is no browser at ${executablePath}`
const timeoutMs = 30_000

describe('the page in a browser', { timeout: 240_000, skip }, () => {
  it('shows the order that was asked for or clicked last, and what is hostile in it stays text', async () => {
    await using replica = await startReplica()
    const markup = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>'
    const hostile = exampleOrder({
      order_uid: markup,
      customer_id: markup,
      delivery: { ...exampleOrder().delivery, name: markup, city: markup },
      items: [exampleItem({ name: markup, brand: '"><b>' })],
    })
    await replica.station.log.inTransaction((tx) => {
      for (const order of [orderNumber(4), orderNumber(7), hostile]) tx.append(ordersMessage(order))
    })
    const areStored = async () => (await replica.stats()).consumer.consumed === 3
    await untilTrue('the orders are stored', areStored, timeoutMs)

    await using stack = new AsyncDisposableStack()
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'], timeout: timeoutMs })
    stack.defer(() => browser.close())
    const page = await browser.newPage({ viewport: { width: 1200, height: 800 } })
    page.setDefaultTimeout(timeoutMs)
    const faults: string[] = []
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('console', (line) => line.type() === 'error' && faults.push(line.text()))
    await page.goto(`${replica.url}/order-lookup/`)
    const some = page.getByRole('button', { name: 'c0 · 1,817 USD' })
    assert.deepEqual(await some.locator('bdi').allTextContents(), ['order-7', 'c0', '1,817', 'USD'])
    await some.click()
    await page.getByRole('heading', { name: 'Order order-7' }).waitFor()
    assert.equal(await page.getByLabel('Order id').inputValue(), 'order-7')

    await page.getByLabel('Order id').fill('order-4')
    await page.getByRole('button', { name: 'Look up' }).click()
    await page.getByRole('heading', { name: 'Items (5)' }).waitFor()
    // biome-ignore lint/performance/useDomNodeTextContent: a locator's text as people see it.
    const text = await page.getByLabel('Order', { exact: true }).innerText()
    for (const shown of ['Test Testov', 'Ploshad Mira 15', 'wbpay', 'Vivienne Sabo', '1,817 USD']) {
      assert.ok(text.includes(shown), `${shown} is shown in\n${text}`)
    }

    await page.getByLabel('Order id').fill(markup)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: `Order ${markup}` }).waitFor()
    assert.equal(await page.locator('main img, main script, main b').count(), 0)
    assert.equal(await page.title(), 'Order lookup')
    assert.deepEqual(faults, [])

    await page.getByLabel('Order id').fill('nobody')
    await page.keyboard.press('Enter')
    await page.getByText('There is no order “nobody”.').waitFor()

    // An earlier question, whose answer takes longer than the page's patience, changes nothing any more.
    await page.route('**/order/order-7', () => {})
    await page.clock.install()
    await page.getByRole('button', { name: 'c0 · 1,817 USD' }).click()
    await page.getByRole('button', { name: 'c4' }).click()
    const shown = page.getByRole('heading', { name: 'Order order-4' })
    await shown.waitFor()
    await page.clock.runFor(1_000)
    assert.equal(await shown.count(), 1)
  })
})
