import type { Queryable } from '@headrace/database'

/** An external id of a user's order. */
export interface ExternalName {
  readonly userId: string
  readonly externalId: string
  readonly orderId: string
}

/**
 * Gives external ids to orders; waits for whoever is taking one of them. Returns those that are theirs now: another
 * order's stays where it is.
 */
export async function claimNames(tx: Queryable, names: readonly ExternalName[]): Promise<ExternalName[]> {
  const sorted = names.toSorted(byName)
  const inserted = tx.query({
    name: 'order-intake.claim-names',
    text: `insert into order_intake_api.external_id (user_id, external_id, order_id)
           select * from unnest($1::uuid[], $2::text[], $3::uuid[])
           on conflict (user_id, external_id) do nothing`,
    values: columnsOf(sorted),
  })
  const [{ rows }] = await Promise.all([
    // Another statement: it sees what the first has waited for.
    tx.query<ExternalName>({
      name: 'order-intake.claimed-names',
      replan: true,
      text: `select user_id as "userId", external_id as "externalId", order_id as "orderId"
             from order_intake_api.external_id
             where (user_id, external_id, order_id) in (select * from unnest($1::uuid[], $2::text[], $3::uuid[]))`,
      values: columnsOf(sorted),
    }),
    inserted,
  ])
  return rows
}

/** Frees external ids, where they are these orders'. */
export async function freeNames(tx: Queryable, names: readonly ExternalName[]): Promise<void> {
  await tx.query({
    name: 'order-intake.free-names',
    replan: true,
    text: `delete from order_intake_api.external_id
           where (user_id, external_id, order_id) in (select * from unnest($1::uuid[], $2::text[], $3::uuid[]))`,
    values: columnsOf(names.toSorted(byName)),
  })
}

function columnsOf(names: readonly ExternalName[]): [string[], string[], string[]] {
  return [names.map((name) => name.userId), names.map((name) => name.externalId), names.map((name) => name.orderId)]
}

function byName(a: ExternalName, b: ExternalName): number {
  return `${a.userId} ${a.externalId}` < `${b.userId} ${b.externalId}` ? -1 : 1
}
