import type { Queryable } from '@headrace/database'

/** An event that was sent to the worker. */
export interface SentEvent {
  readonly eventId: string
  readonly orderId: string
  readonly kind: 'created' | 'updated' | 'deleted'
}

/** What the worker said of an event. */
export interface EventOutcome {
  readonly eventId: string
  readonly outcome: 'created' | 'updated' | 'deleted' | 'rejected'
  readonly code: string | undefined
}

export async function insertEvent(tx: Queryable, event: SentEvent): Promise<void> {
  await tx.query({
    name: 'order-intake.insert-event',
    text: 'insert into order_intake_api.event (event_id, order_id, kind) values ($1, $2, $3)',
    values: [event.eventId, event.orderId, event.kind],
  })
}

export async function findEvent(database: Queryable, eventId: string): Promise<SentEvent | undefined> {
  const { rows } = await database.query<SentEvent>({
    name: 'order-intake.find-event',
    text: `select event_id as "eventId", order_id as "orderId", kind from order_intake_api.event where event_id = $1`,
    values: [eventId],
  })
  return rows[0]
}

/** Records what the worker said; the first word counts. Foreign events are none of ours. */
export async function recordOutcomes(tx: Queryable, outcomes: readonly EventOutcome[]): Promise<void> {
  await tx.query({
    name: 'order-intake.record-outcomes',
    replan: true,
    text: `update order_intake_api.event e set outcome = o.outcome, code = o.code
           from unnest($1::uuid[], $2::text[], $3::text[]) as o(event_id, outcome, code)
           where e.event_id = o.event_id and e.outcome is null`,
    values: [
      outcomes.map(({ eventId }) => eventId),
      outcomes.map(({ outcome }) => outcome),
      outcomes.map(({ code }) => code ?? null),
    ],
  })
}

/** Those of these events that were acknowledged. */
export async function findOutcomes(database: Queryable, eventIds: readonly string[]): Promise<EventOutcome[]> {
  const { rows } = await database.query<Omit<EventOutcome, 'code'> & { code: string | null }>({
    name: 'order-intake.find-outcomes',
    replan: true,
    text: `select event_id as "eventId", outcome, code from order_intake_api.event
           where event_id = any($1::uuid[]) and outcome is not null`,
    values: [eventIds],
  })
  return rows.map((row) => ({ ...row, code: row.code ?? undefined }))
}

/** Kept as long as an Idempotency-Key may ask for one again, in hours, and until it is acknowledged. */
const keptHours = 25

/** Deletes old acknowledged events, at most `limit`; returns how many. */
export async function sweepEvents(database: Queryable, limit: number): Promise<number> {
  const { rowCount } = await database.query({
    name: 'order-intake.sweep-events',
    // A plan made while there are few events would read all of them later.
    replan: true,
    text: `delete from order_intake_api.event where event_id = any(array(
             select event_id from order_intake_api.event
             where accepted_at < now() - make_interval(hours => ${keptHours}) and outcome is not null
             order by accepted_at limit $1 for update skip locked))`,
    values: [limit],
  })
  return rowCount
}
