import { en, Faker } from '@faker-js/faker'
import type { Item, Order } from '@headrace/order-lookup/contract'

/** A message for the topic. */
export interface FakeMessage {
  readonly key: string
  readonly body: Uint8Array
  readonly isValid: boolean
}

/** Makes orders, a share of them broken on purpose. */
export class FakeOrders {
  readonly #faker: Faker
  readonly #invalid: number

  constructor({ invalid, seed }: { readonly invalid: number; readonly seed: number | undefined }) {
    this.#faker = new Faker({ locale: en })
    this.#invalid = invalid
    if (seed === undefined) return
    this.#faker.seed(seed)
    // Times are drawn back from a day, which would otherwise be today.
    this.#faker.setDefaultRefDate('2026-01-01T00:00:00Z')
  }

  next(): FakeMessage {
    const order = this.order()
    const isValid = this.#faker.number.float() >= this.#invalid
    return { key: order.order_uid, body: Buffer.from(isValid ? JSON.stringify(order) : this.#broken(order)), isValid }
  }

  order(): Order {
    const faker = this.#faker
    const uid = `${faker.string.hexadecimal({ length: 16, casing: 'lower', prefix: '' })}test`
    const track = `WB${faker.string.alphanumeric({ length: 12, casing: 'upper' })}`
    const items = faker.helpers.multiple(() => this.#item(track), { count: { min: 1, max: 5 } })
    const goods = items.reduce((sum, { total_price }) => sum + total_price, 0)
    const created = faker.date.recent({ days: 30 })
    return {
      order_uid: uid,
      track_number: track,
      entry: 'WBIL',
      delivery: this.#delivery(),
      payment: this.#payment(uid, goods, created),
      items,
      locale: faker.helpers.arrayElement(['en', 'ru', 'de', 'kk']),
      internal_signature: '',
      customer_id: faker.internet.username(),
      delivery_service: faker.helpers.arrayElement(['meest', 'dhl', 'cdek', 'post']),
      shardkey: String(faker.number.int({ min: 0, max: 9 })),
      sm_id: faker.number.int({ min: 1, max: 999 }),
      date_created: created.toISOString().replace(/\.\d{3}/, ''),
      oof_shard: String(faker.number.int({ min: 0, max: 1 })),
    }
  }

  #delivery(): Order['delivery'] {
    const faker = this.#faker
    return {
      name: faker.person.fullName(),
      phone: `+${faker.string.numeric({ length: 11, allowLeadingZeros: false })}`,
      zip: faker.location.zipCode(),
      city: faker.location.city(),
      address: faker.location.streetAddress(),
      region: faker.location.state(),
      email: faker.internet.email(),
    }
  }

  #payment(transaction: string, goods_total: number, created: Date): Order['payment'] {
    const faker = this.#faker
    const delivery_cost = faker.number.int({ min: 0, max: 2000 })
    const custom_fee = faker.helpers.arrayElement([0, 0, 0, 50])
    return {
      transaction,
      request_id: '',
      currency: faker.helpers.arrayElement(['USD', 'EUR', 'RUB']),
      provider: 'wbpay',
      amount: goods_total + delivery_cost + custom_fee,
      payment_dt: Math.floor(created.getTime() / 1000),
      bank: faker.helpers.arrayElement(['alpha', 'sber', 'vtb', 'tinkoff']),
      delivery_cost,
      goods_total,
      custom_fee,
    }
  }

  #item(track_number: string): Item {
    const faker = this.#faker
    const price = faker.number.int({ min: 50, max: 20_000 })
    const sale = faker.number.int({ min: 0, max: 70 })
    return {
      chrt_id: faker.number.int({ min: 1_000_000, max: 9_999_999 }),
      track_number,
      price,
      rid: `${faker.string.hexadecimal({ length: 17, casing: 'lower', prefix: '' })}test`,
      name: faker.commerce.product(),
      sale,
      size: faker.helpers.arrayElement(['0', 'S', 'M', 'L', 'XL']),
      total_price: Math.floor((price * (100 - sale)) / 100),
      nm_id: faker.number.int({ min: 1_000_000, max: 9_999_999 }),
      brand: faker.company.name(),
      status: 202,
    }
  }

  /** Rubbish of the kinds that are met: not JSON, not the model, or against its rules. */
  #broken(order: Order): string {
    const { payment, items, ...rest } = order
    const [first] = items
    return this.#faker.helpers.arrayElement([
      '{"order_uid":',
      'hello, this is no order',
      JSON.stringify([order]),
      JSON.stringify({ ...rest, items }),
      JSON.stringify({ ...order, order_uid: '' }),
      JSON.stringify({ ...order, sm_id: 'ninety-nine' }),
      JSON.stringify({ ...order, date_created: 'yesterday' }),
      JSON.stringify({ ...order, payment: { ...payment, amount: payment.amount + 1 } }),
      JSON.stringify({ ...order, items: [{ ...first, price: -1 }] }),
    ])
  }
}
