import { type Answer, answerOf, get, post } from './platform.ts'

/** What a customer does at the shop, over HTTP. */
export interface Shop {
  openAccount(userId?: string): Promise<string>
  topUp(userId: string, amount: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>
  order(userId: string, amount?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>
  orderOf(id: unknown): Promise<Answer>
  ordersOf(userId: string): Promise<readonly OrderOnWire[]>
  cancel(id: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>
  paymentOf(orderId: unknown): Promise<Answer>
  balanceOf(userId: string): Promise<unknown>
  entriesOf(userId: string): Promise<readonly EntryOnWire[]>
}

export interface OrderOnWire {
  readonly id: string
  readonly status: string
  readonly amount: number
  readonly paymentID: string
  readonly errorReason: string
}

export interface EntryOnWire {
  readonly id: string
  readonly kind: string
  readonly amount: number
  readonly balance_after: number
  readonly order_id?: string
  readonly payment_id?: string
}

/** The shop at these addresses. */
export function shopAt(orders: string, payments: string = orders): Shop {
  const accounts = `${payments}/payments-api/accounts`
  return {
    async openAccount(userId) {
      const { body } = await post(accounts, userId === undefined ? {} : { user_id: userId })
      return String(body['user_id'])
    },
    topUp: (userId, amount, headers) => post(`${accounts}/${userId}/topup`, { amount }, headers),
    order: (userId, amount, headers) =>
      post(`${orders}/orders-api/orders`, { user_id: userId, ...(amount !== undefined && { amount }) }, headers),
    orderOf: (id) => get(`${orders}/orders-api/orders/${id}`),
    async ordersOf(userId) {
      const answer = await fetch(`${orders}/orders-api/orders/user/${userId}?limit=200`)
      // The contract's list.
      return (await answer.json()) as OrderOnWire[]
    },
    cancel: async (id, headers) =>
      answerOf(await fetch(`${orders}/orders-api/orders/${id}/cancel`, { method: 'POST', headers: { ...headers } })),
    paymentOf: (orderId) => get(`${payments}/payments-api/payments/by-order/${orderId}`),
    balanceOf: async (userId) => (await get(`${accounts}/${userId}`)).body['balance'],
    async entriesOf(userId) {
      const { body } = await get(`${accounts}/${userId}/entries?limit=200`)
      // The contract's list.
      return body['entries'] as EntryOnWire[]
    },
  }
}
