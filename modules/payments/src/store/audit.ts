import type { Queryable } from '@headrace/database'
import type { PaymentStatus } from '../domain/payment.ts'

/** A rule that holds for every row at every commit: how many were looked at, and which break it. */
export interface AuditedRule {
  readonly rule: string
  readonly checked: number
  /** At most 1 000. */
  readonly wrong: readonly string[]
}

/** Each statement gives one row: how many it looked at, and the ids that are wrong. */
const rules: readonly { readonly rule: string; readonly text: string }[] = [
  {
    rule: 'the ledger sums to zero',
    text: `select count(*) as checked,
             case when coalesce(sum(amount_minor), 0) = 0 then '{}' else array['sum ' || sum(amount_minor)] end as wrong
           from payments.entry`,
  },
  {
    rule: 'every movement has two lines that sum to zero',
    text: `select count(*) as checked,
             coalesce((array_agg(movement_id::text) filter (where lines <> 2 or sum <> 0))[:1000], '{}') as wrong
           from (select movement_id, count(*) as lines, sum(amount_minor) as sum from payments.entry group by 1) as m`,
  },
  {
    rule: 'every balance is the sum of its entries and not negative',
    text: `select count(*) as checked,
             coalesce((array_agg(a.user_id::text)
               filter (where a.balance_minor <> coalesce(e.sum, 0) or a.balance_minor < 0))[:1000], '{}') as wrong
           from payments.account a left join (
             select user_id, sum(amount_minor) as sum from payments.entry where user_id is not null group by 1) as e
             on e.user_id = a.user_id`,
  },
  {
    rule: 'every entry says the balance that it leaves',
    text: `select count(*) as checked,
             coalesce((array_agg(id::text) filter (where balance_after_minor <> running))[:1000], '{}') as wrong
           from (select id, balance_after_minor, sum(amount_minor) over (partition by user_id order by seq) as running
                 from payments.entry where user_id is not null) as e`,
  },
  {
    rule: 'a payment is debited once if completed, and given back once if refunded',
    text: `select count(*) as checked,
             coalesce((array_agg(p.id::text) filter (where
               coalesce(e.debits, 0) <> (case when p.status in ('completed', 'refunded') then 1 else 0 end)
               or coalesce(e.refunds, 0) <> (case when p.status = 'refunded' then 1 else 0 end)
               or coalesce(e.sum, 0) <> (case when p.status = 'completed' then -p.amount_minor else 0 end)
             ))[:1000], '{}') as wrong
           from payments.payment p left join (
             select payment_id, count(*) filter (where kind = 'payment') as debits,
               count(*) filter (where kind = 'refund') as refunds, sum(amount_minor) as sum
             from payments.entry where user_id is not null and payment_id is not null group by 1) as e
             on e.payment_id = p.id`,
  },
  {
    rule: 'no payment waits a minute beyond its deadline',
    text: `select count(*) as checked,
             coalesce((array_agg(id::text)
               filter (where due_at < clock_timestamp() - interval '1 minute'))[:1000], '{}') as wrong
           from payments.payment where status = 'pending'`,
  },
]

/** Checks the module's rules over all its data, each over one moment's. */
export async function auditPayments(database: Queryable): Promise<AuditedRule[]> {
  const audited: AuditedRule[] = []
  for (const { rule, text } of rules) {
    const { rows } = await database.query<{ checked: number; wrong: string[] }>({ text })
    audited.push({ rule, checked: rows[0]?.checked ?? 0, wrong: rows[0]?.wrong ?? [] })
  }
  return audited
}

/** How the payment of an order stands, and what the order costs its user in all. */
export interface PaymentState {
  readonly orderId: string
  readonly paymentId: string
  readonly userId: string
  readonly status: PaymentStatus
  readonly paidMinor: number
}

interface StateRow {
  readonly order_id: string
  readonly id: string
  readonly user_id: string
  readonly status: PaymentStatus
  readonly paid_minor: number
}

/** The payments of these orders. */
export async function paymentStates(database: Queryable, orderIds: readonly string[]): Promise<PaymentState[]> {
  const { rows } = await database.query<StateRow>({
    text: `select p.order_id, p.id, p.user_id, p.status,
             (select -coalesce(sum(amount_minor), 0) from payments.entry e
              where e.payment_id = p.id and e.user_id is not null)::bigint as paid_minor
           from payments.payment p where p.order_id = any($1)`,
    values: [orderIds],
  })
  return rows.map((row) => ({
    orderId: row.order_id,
    paymentId: row.id,
    userId: row.user_id,
    status: row.status,
    paidMinor: row.paid_minor,
  }))
}

/** Orders that have a payment, sorted, behind one of them. */
export async function payingOrders(database: Queryable, after: string, limit: number): Promise<string[]> {
  const { rows } = await database.query<{ order_id: string }>({
    text: 'select order_id from payments.payment where order_id > $1 order by order_id limit $2',
    values: [after, limit],
  })
  return rows.map(({ order_id }) => order_id)
}
