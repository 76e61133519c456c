import type { Queryable } from '@headrace/database'
import { type OrderState, orderStates, orderStatesOf } from '@headrace/orders/module'
import { type PaymentState, payingOrders, paymentStates } from '@headrace/payments/module'
import { sleep } from '@headrace/runtime'
import { hasCaughtUp } from './caught-up.ts'
import type { CheckedRule } from './rule.ts'

/** The databases of both modules; they may be one. */
export interface ShopDatabases {
  readonly orders: Queryable
  readonly payments: Queryable
}

const pageSize = 1_000
const wrongLimit = 1_000

/** Whether an order and its payment agree; `on-its-way`: a message that is not handled yet would make them. */
export type Agreement = 'agree' | 'on-its-way' | 'disagree'

/** Compares an order with its payment, which was read after it. */
export function agreement(order: OrderState, payment: PaymentState | undefined): Agreement {
  const isPaid = payment?.status === 'completed' && payment.paidMinor === order.amountMinor
  const isFree = payment === undefined || payment.paidMinor === 0
  if (payment !== undefined && payment.userId !== order.userId) return 'disagree'
  switch (order.status) {
    case 'created':
      return 'on-its-way'
    case 'payment_pending':
      if (payment?.status !== 'pending') return 'on-its-way'
      return isFree ? 'agree' : 'disagree'
    case 'paid':
    case 'completed':
      return isPaid && order.paymentId === payment.paymentId ? 'agree' : 'disagree'
    case 'payment_failed':
      return payment?.status === 'failed' && isFree ? 'agree' : 'disagree'
    case 'cancelled':
      if (payment === undefined || payment.status === 'pending' || isPaid) return 'on-its-way'
      return isFree ? 'agree' : 'disagree'
    default:
      return order.status satisfies never
  }
}

/**
 * Checks orders against payments, page by page and without a join: they may be in different databases. What a message
 * on its way explains is looked at again for `patienceMs`: wrong is what stands as it stood before nothing was on its
 * way.
 */
export async function auditShop(databases: ShopDatabases, patienceMs: number): Promise<CheckedRule[]> {
  const wrong: string[] = []
  const open: Open[] = []
  const checked = await eachPage(
    (after) => orderStates(databases.orders, after, pageSize),
    async (page) => {
      const found = await compare(databases, page)
      wrong.push(...found.wrong)
      open.push(...found.open)
    },
  )
  const left = await followUp(databases, open, patienceMs)
  wrong.push(...left.wrong)
  const told = wrong.slice(0, wrongLimit)
  return [
    { rule: 'every order agrees with its payment', checked, wrong: told, underWay: left.underWay },
    await everyPaymentHasItsOrder(databases),
  ]
}

/** An order that a message on its way would explain, and how it stands with its payment. */
interface Open {
  readonly id: string
  readonly standing: string
}

interface Compared {
  readonly wrong: readonly string[]
  readonly open: readonly Open[]
}

async function compare({ payments }: ShopDatabases, orders: readonly OrderState[]): Promise<Compared> {
  const ids = orders.map(({ id }) => id)
  const states = new Map((await paymentStates(payments, ids)).map((state) => [state.orderId, state]))
  const those = (wanted: Agreement) => orders.filter((order) => agreement(order, states.get(order.id)) === wanted)
  const open = those('on-its-way').map(({ id, status }) => ({ id, standing: `${status}/${states.get(id)?.status}` }))
  return { wrong: those('disagree').map(({ id }) => id), open }
}

/** Looks again at what was on its way, until nothing is or the patience is over. */
async function followUp(
  databases: ShopDatabases,
  open: readonly Open[],
  patienceMs: number,
): Promise<{ readonly wrong: readonly string[]; readonly underWay: number }> {
  const deadline = performance.now() + patienceMs
  const wrong: string[] = []
  let left = open
  while (left.length > 0) {
    const before = new Map(left.map(({ id, standing }) => [id, standing]))
    // Asked between two looks: what had happened by the first is handled by the second.
    const isIdle = await nothingOnItsWay(databases)
    const now = await orderStatesOf(
      databases.orders,
      left.map(({ id }) => id),
    )
    const found = await compare(databases, now)
    wrong.push(...found.wrong)
    const isStuck = ({ id, standing }: Open) => isIdle && before.get(id) === standing
    wrong.push(...found.open.filter(isStuck).map(({ id }) => id))
    left = found.open.filter((each) => !isStuck(each))
    if (performance.now() > deadline) break
    await sleep(100)
  }
  return { wrong, underWay: left.length }
}

async function nothingOnItsWay({ orders, payments }: ShopDatabases): Promise<boolean> {
  const asked = await Promise.all([
    hasCaughtUp({ producer: orders, consumer: payments, topic: 'orders-events' }),
    hasCaughtUp({ producer: payments, consumer: orders, topic: 'payments-events' }),
  ])
  return asked.every((caughtUp) => caughtUp)
}

async function everyPaymentHasItsOrder({ orders, payments }: ShopDatabases): Promise<CheckedRule> {
  const wrong: string[] = []
  const checked = await eachPage(
    async (after) => (await payingOrders(payments, after, pageSize)).map((id) => ({ id })),
    async (page) => {
      const ids = page.map(({ id }) => id)
      const known = new Set((await orderStatesOf(orders, ids)).map(({ id }) => id))
      wrong.push(...ids.filter((id) => !known.has(id)))
    },
  )
  return { rule: 'every payment belongs to an order', checked, wrong: wrong.slice(0, wrongLimit) }
}

const leastId = '00000000-0000-0000-0000-000000000000'

async function eachPage<Row extends { readonly id: string }>(
  read: (after: string) => Promise<readonly Row[]>,
  look: (page: readonly Row[]) => Promise<void>,
): Promise<number> {
  let checked = 0
  for (let page = await read(leastId); page.length > 0; page = await read(page.at(-1)?.id ?? leastId)) {
    await look(page)
    checked += page.length
  }
  return checked
}
