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

const settleTries = 40
const settlePauseMs = 250

/**
 * Settles a lost answer to COMMIT: inserts and commits the same marker on another connection. The unique index waits
 * for the old backend if that still runs; a conflict means that it committed, success that it never will.
 * Throws `COMMIT_UNKNOWN` when the database stays away for about 10 s.
 */
export async function settleCommit(database: Queryable, markerId: string, cause: unknown): Promise<boolean> {
  for (let tries = 0; tries < settleTries; tries += 1) {
    try {
      await database.query(markerStatement(markerId))
      return false
    } catch (error) {
      if (isUniqueViolation(error)) return true
      await sleep(settlePauseMs)
    }
  }
  throw unsettled(cause)
}

/** Deletes markers older than an hour, a bounded number at a time; returns how many. */
export async function sweepMarkers(database: Queryable): Promise<number> {
  const { rowCount } = await database.query({
    name: 'marker.sweep',
    text: `delete from headrace.commit_marker where id in (
             select id from headrace.commit_marker where at < now() - interval '1 hour' limit 10000)`,
  })
  return rowCount
}

function unsettled(cause: unknown): PlatformError {
  return new PlatformError('COMMIT_UNKNOWN', 'the answer to commit was lost and the database is away', { cause })
}
