import type { MigrationSource, Queryable, Rows } from '@headrace/database'

/** This module's tables. */
export const pipelineMigrations: MigrationSource = {
  name: 'pipeline',
  schema: 'pipeline',
  directory: new URL('../../migrations/', import.meta.url),
}

/** A result to store. */
export interface NewResult {
  readonly messageId: string
  /** When the message was accepted, in ms since the epoch. */
  readonly acceptedAtMs: number
  readonly attempts: number
  readonly result: Uint8Array
  /** Whose token sent the message. */
  readonly owner: string | undefined
}

/**
 * Stores results; what has one already keeps it, so that a message is processed once for each id, whoever sends it
 * twice. Sorted, because two batches may hold the same ids and the unique index makes one wait for the other. Returns
 * how many were new.
 */
export function insertResults(tx: Queryable, results: readonly NewResult[]): Promise<Rows<object>> {
  const sorted = results.length === 1 ? results : results.toSorted(byMessageId)
  return tx.query({
    name: 'pipeline.insert-results',
    text: `insert into pipeline.result (message_id, accepted_at, attempts, result, owner)
           select id, to_timestamp(accepted_ms / 1000), attempts, substring($4::bytea from start for length), owner
           from unnest($1::text[], $2::float8[], $3::int[], $5::int[], $6::int[], $7::text[])
             as made(id, accepted_ms, attempts, start, length, owner)
           on conflict (message_id) do nothing`,
    values: [
      sorted.map(({ messageId }) => messageId),
      sorted.map(({ acceptedAtMs }) => acceptedAtMs),
      sorted.map(({ attempts }) => attempts),
      Buffer.concat(sorted.map(({ result }) => result)),
      starts(sorted),
      sorted.map(({ result }) => result.byteLength),
      sorted.map(({ owner }) => owner ?? null),
    ],
  })
}

function byMessageId(a: NewResult, b: NewResult): number {
  return a.messageId < b.messageId ? -1 : a.messageId > b.messageId ? 1 : 0
}

/** Where each result starts in the blob of all, from 1 as SQL counts. */
function starts(results: readonly NewResult[]): number[] {
  let next = 1
  return results.map(({ result }) => {
    const start = next
    next += result.byteLength
    return start
  })
}

export interface StoredResult {
  readonly accepted_at: Date
  readonly processed_at: Date
  readonly attempts: number
  readonly result: Buffer
  readonly owner: string | null
}

/** The result of a message, if it was processed. */
export async function findResult(database: Queryable, messageId: string): Promise<StoredResult | undefined> {
  const { rows } = await database.query<StoredResult>({
    name: 'pipeline.find-result',
    text: 'select accepted_at, processed_at, attempts, result, owner from pipeline.result where message_id = $1',
    values: [messageId],
  })
  return rows[0]
}

/** Deletes results that were stored before `heldSince`, at most `limit`; returns how many. */
export async function sweepResults(database: Queryable, heldSince: Date | undefined, limit: number): Promise<number> {
  const { rowCount } = await database.query({
    name: 'pipeline.sweep-results',
    // A plan made while there are few results would read all of them later.
    replan: true,
    // Skips rows that another replica is sweeping.
    text: `delete from pipeline.result where message_id = any(array(
             select message_id from pipeline.result where processed_at < $1::timestamptz
             order by processed_at limit $2 for update skip locked))`,
    values: [heldSince, limit],
  })
  return rowCount
}
