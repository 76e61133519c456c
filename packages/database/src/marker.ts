import { PlatformError, sleep } from '@headrace/runtime'
import { isUniqueViolation } from './errors.ts'
import type { Queryable, Statement } from './types.ts'

/**
 * The marker of a transaction: a plain insert, never `on conflict`: a straggler whose id was settled as "not
 * committed" must fail on it, or it would commit after we said no.
 */
export function markerStatement(id: string): Statement {
  return { name: 'marker.insert', text: 'insert into headrace.commit_marker (id) values ($1)', values: [id] }
}

/** The same as part of a statement that is a transaction by itself; it begins with `select`. */
export function withMarker({ name, text, values = [] }: Statement, id: string): Statement {
  const marked = `with marker as (insert into headrace.commit_marker (id) values ($${values.length + 1})) ${text}`
  return { ...(name === undefined ? {} : { name: `${name}.marked` }), text: marked, values: [...values, id] }
}

const settlePauseMs = 250

export interface LostCommit {
  readonly markerId: string
  readonly cause: unknown
  /** How long the database may stay away, in ms. */
  readonly timeoutMs: number
}

/**
 * Settles a lost answer to COMMIT: inserts and commits the same marker on another connection. The unique index waits
 * for the old backend if that still runs; a conflict with the transaction's own marker means that it committed, success
 * that it never will. Throws `COMMIT_UNKNOWN` when the database stays away.
 */
export async function settleCommit(database: Queryable, lost: LostCommit): Promise<boolean> {
  const deadline = performance.now() + lost.timeoutMs
  for (;;) {
    try {
      return await committed(database, lost.markerId)
    } catch {
      if (performance.now() > deadline) throw unsettled(lost.cause)
      await sleep(settlePauseMs)
    }
  }
}

async function committed(database: Queryable, id: string): Promise<boolean> {
  try {
    await database.query({
      name: 'marker.settle',
      text: 'insert into headrace.commit_marker (id, settled) values ($1, true)',
      values: [id],
    })
    return false
  } catch (error) {
    if (!isUniqueViolation(error)) throw error
  }
  // The marker that is there may be our own, of a try whose answer was lost as well.
  const { rows } = await database.query<{ settled: boolean }>({
    name: 'marker.look',
    text: 'select settled from headrace.commit_marker where id = $1',
    values: [id],
  })
  return rows[0]?.settled === false
}

/** Deletes markers older than an hour, at most `limit`; returns how many. */
export async function sweepMarkers(database: Queryable, limit: number): Promise<number> {
  const { rowCount } = await database.query({
    name: 'marker.sweep',
    // A plan made while there are few would read all of them later.
    replan: true,
    text: `delete from headrace.commit_marker where id = any(array(
             select id from headrace.commit_marker where at < now() - interval '1 hour' order by at limit $1))`,
    values: [limit],
  })
  return rowCount
}

function unsettled(cause: unknown): PlatformError {
  return new PlatformError('COMMIT_UNKNOWN', 'the answer to commit was lost and the database is away', { cause })
}
