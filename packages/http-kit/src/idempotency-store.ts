import type { MigrationSource, Queryable } from '@headrace/database'

/** The table of idempotency keys. */
export const httpKitMigrations: MigrationSource = {
  name: 'http-kit',
  schema: 'headrace',
  directory: new URL('../migrations/', import.meta.url),
}

/** An answer that is given again. */
export interface StoredResponse {
  readonly status: number
  /** The JSON value of the body. */
  readonly body: unknown
}

export interface StoredKey {
  readonly fingerprint: Buffer
  /** Made before the effect, so that whoever finds the key can go on with it. */
  readonly effectId: string
  /** Undefined while the effect is recorded and its answer is not. */
  readonly response: StoredResponse | undefined
}

export interface KeyRecord {
  /** From `keyId`. */
  readonly id: Buffer
  readonly fingerprint: Buffer
  readonly effectId: string
  readonly response?: StoredResponse
}

interface KeyRow {
  readonly fingerprint: Buffer
  readonly effect_id: string
  readonly status: number | null
  readonly body: string | null
}

/** Keys are kept this long, in hours. */
export const keyRetentionHours = 24

/** The row of a key; undefined when there is none. */
export async function lookupKey(tx: Queryable, id: Buffer): Promise<StoredKey | undefined> {
  const { rows } = await tx.query<KeyRow>({
    name: 'idempotency-lookup',
    text: 'select fingerprint, effect_id, status, body from headrace.idempotency_key where id = $1',
    values: [id],
  })
  const [row] = rows
  if (row === undefined) return undefined
  const hasAnswer = row.status !== null && row.body !== null
  const response = hasAnswer ? { status: row.status, body: JSON.parse(row.body) as unknown } : undefined
  return { fingerprint: row.fingerprint, effectId: row.effect_id, response }
}

/**
 * Records a key in the transaction of its effect. A twin that was faster makes it fail by the unique index, after
 * waiting for the twin's commit: see `isTwinConflict`. Throws `RangeError` for a response that must not be stored.
 */
export async function recordKey(tx: Queryable, record: KeyRecord): Promise<void> {
  await recordKeys(tx, [record])
}

/** Records several keys in one statement, for gathered requests; all or none. */
export async function recordKeys(tx: Queryable, records: readonly KeyRecord[]): Promise<void> {
  for (const { response } of records) if (response !== undefined) assertStorable(response)
  await tx.query({
    name: 'idempotency-record',
    // Hexadecimal texts, because arrays of bytes are slow to send.
    text: `
      insert into headrace.idempotency_key (id, fingerprint, effect_id, status, body)
      select decode(id, 'hex'), decode(fingerprint, 'hex'), effect_id, status, body
      from unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::text[])
        as new (id, fingerprint, effect_id, status, body)`,
    values: [
      records.map(({ id }) => id.toString('hex')),
      records.map((record) => record.fingerprint.toString('hex')),
      records.map(({ effectId }) => effectId),
      records.map(({ response }) => response?.status ?? null),
      records.map(({ response }) => (response === undefined ? null : bodyText(response))),
    ],
  })
}

/** Adds the answer to a key that was recorded without one. */
export async function answerKey(tx: Queryable, id: Buffer, response: StoredResponse): Promise<void> {
  assertStorable(response)
  await tx.query({
    name: 'idempotency-answer',
    text: 'update headrace.idempotency_key set status = $2, body = $3 where id = $1 and status is null',
    values: [id, response.status, bodyText(response)],
  })
}

/** Makes a key free again, such as after an effect that failed for a reason of ours. */
export async function forgetKey(tx: Queryable, id: Buffer): Promise<void> {
  await tx.query({
    name: 'idempotency-forget',
    text: 'delete from headrace.idempotency_key where id = $1',
    values: [id],
  })
}

/** Deletes at most `limit` keys that are past their time and tells how many. */
export async function sweepKeys(tx: Queryable, limit: number): Promise<number> {
  const { rows } = await tx.query({
    name: 'idempotency-sweep',
    // A plan made while there are few keys would read all of them later.
    replan: true,
    // Skips rows that another replica is sweeping.
    text: `
      delete from headrace.idempotency_key where id = any(array(
        select id from headrace.idempotency_key where created_at < now() - make_interval(hours => $1)
        order by created_at limit $2 for update skip locked
      )) returning 1`,
    values: [keyRetentionHours, limit],
  })
  return rows.length
}

/** Tells whether a statement or transaction failed because a twin recorded the key first: look the key up again. */
export function isTwinConflict(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code, constraint } = error as { readonly code?: unknown; readonly constraint?: unknown }
  return (code === '23505' && constraint === 'idempotency_key_pkey') || isTwinConflict(error.cause)
}

/** Faults of ours and refusals for load are not stored: the key stays free. */
export function isStorable(status: number): boolean {
  return status < 500 && status !== 429
}

function assertStorable(response: StoredResponse): void {
  if (!isStorable(response.status)) throw new RangeError(`an answer with status ${response.status} is not stored`)
}

function bodyText(response: StoredResponse): string {
  return JSON.stringify(response.body) ?? 'null'
}
