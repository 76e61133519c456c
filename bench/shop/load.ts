import { setTimeout as delay } from 'node:timers/promises'
import { type Client, type Customer, newCustomer } from './customers.ts'

export interface Load {
  readonly url: string
  /** Orders a second, sent at fixed times whatever comes back. */
  readonly rate: number
  readonly seconds: number
  readonly customers: number
}

export interface Measured {
  /** From sending the request to `paid` on the stream, in ms. */
  readonly toPaidMs: readonly number[]
  /** From sending the request to its answer, in ms. */
  readonly toAnswerMs: readonly number[]
  readonly failed: number
  /** Orders that were sent later than their time by more than 50 ms: then the client was the limit. */
  readonly late: number
}

/** An order that is not paid by then counts as failed, in ms. */
const patienceMs = 10_000

/** Places orders at a rate and waits until each is seen to be paid. */
export async function placeOrders(load: Load, client: Client): Promise<Measured> {
  const customers: Customer[] = []
  for (let index = 0; index < load.customers; index += 1) customers.push(await newCustomer(load.url, client))
  const toPaidMs: number[] = []
  const toAnswerMs: number[] = []
  let failed = 0
  let late = 0
  const one = async (customer: Customer) => {
    const sentAt = performance.now()
    try {
      const { id } = await client.post('/orders-api/orders', { user_id: customer.user, amount: 1 })
      toAnswerMs.push(performance.now() - sentAt)
      const given = new AbortController()
      const late = delay(patienceMs, undefined, { signal: given.signal }).then(() => {
        throw new Error('not paid in time')
      })
      late.catch(() => {})
      const paidAt = await Promise.race([customer.paid(String(id)), late])
      given.abort()
      toPaidMs.push(paidAt - sentAt)
    } catch {
      failed += 1
    }
  }
  const startedAt = performance.now()
  const under: Promise<void>[] = []
  for (let index = 0; index < load.rate * load.seconds; index += 1) {
    const dueAt = startedAt + (index * 1_000) / load.rate
    const waitMs = dueAt - performance.now()
    if (waitMs > 1) await delay(waitMs)
    if (waitMs < -50) late += 1
    const customer = customers[index % customers.length]
    if (customer !== undefined) under.push(one(customer))
  }
  await Promise.all(under)
  for (const customer of customers) customer.close()
  return { toPaidMs, toAnswerMs, failed, late }
}
