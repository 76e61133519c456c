/** Where an order goes. */
export interface Delivery {
  readonly name: string
  readonly phone: string
  readonly zip: string
  readonly city: string
  readonly address: string
  readonly region: string
  readonly email: string
}

/** How an order was paid: amounts are integers of the currency as the producer counts them. */
export interface Payment {
  readonly transaction: string
  /** May be empty. */
  readonly request_id: string
  readonly currency: string
  readonly provider: string
  /** Goods, delivery and fee together. */
  readonly amount: number
  /** In s since the epoch. */
  readonly payment_dt: number
  readonly bank: string
  readonly delivery_cost: number
  readonly goods_total: number
  readonly custom_fee: number
}

export interface Item {
  readonly chrt_id: number
  readonly track_number: string
  readonly price: number
  readonly rid: string
  readonly name: string
  /** Per cent off the price. */
  readonly sale: number
  readonly size: string
  readonly total_price: number
  readonly nm_id: number
  readonly brand: string
  readonly status: number
}

/** An order, its fields in the order in which it is answered. */
export interface Order {
  readonly order_uid: string
  readonly track_number: string
  readonly entry: string
  readonly delivery: Delivery
  readonly payment: Payment
  /** At least one. */
  readonly items: readonly Item[]
  readonly locale: string
  /** May be empty. */
  readonly internal_signature: string
  readonly customer_id: string
  readonly delivery_service: string
  readonly shardkey: string
  readonly sm_id: number
  /** RFC 3339, kept as it was written. */
  readonly date_created: string
  readonly oof_shard: string
}
