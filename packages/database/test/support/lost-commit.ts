import { hasCode } from '@headrace/runtime'
import { type Database, openDatabase } from '../../src/index.ts'
import { migratedDatabase, note, noteTable } from './migrated.ts'
import { type Fate, type ServerProxy, startProxy } from './proxy.ts'

/** What the caller of a transaction was told. */
export type Told = 'committed' | 'DATABASE_UNAVAILABLE' | 'COMMIT_UNKNOWN'

/** Runs a transaction and says what its caller was told; throws any other error. */
export async function told(transaction: Promise<unknown>): Promise<Told> {
  try {
    await transaction
    return 'committed'
  } catch (error) {
    if (hasCode(error, 'DATABASE_UNAVAILABLE')) return 'DATABASE_UNAVAILABLE'
    if (hasCode(error, 'COMMIT_UNKNOWN')) return 'COMMIT_UNKNOWN'
    throw error
  }
}

/** Writes a note in a transaction of its own. */
export function write(database: Database, text: string, settle = true): Promise<Told> {
  return told(database.inTransaction((tx) => void tx.query(note(text)), { settle }))
}

/** Applies the fate to the next statement of this name or text, and to no other. */
export function strikeOnce(proxy: ServerProxy, statement: string, fate: Fate, then: () => void = () => {}): void {
  proxy.fate = (seen) => {
    if (seen !== statement) return 'pass'
    proxy.fate = () => 'pass'
    then()
    return fate
  }
}

/** A migrated database with notes, a direct pool and one behind a proxy. */
export async function behindProxy(maxConnections = 4) {
  const test = await migratedDatabase()
  const notes = await noteTable(test.database)
  const proxy = await startProxy(test.url)
  const database = openDatabase({ url: proxy.url, maxConnections })
  return {
    direct: test.database,
    notes,
    proxy,
    database,
    async [Symbol.asyncDispose]() {
      await database.stop()
      await proxy[Symbol.asyncDispose]()
      await test[Symbol.asyncDispose]()
    },
  }
}

/** Makes the marker of transactions (not of settling) what design.md warns of. */
export function forgivingMarker(text: string): string {
  return text.replace(/into headrace\.commit_marker \(id\) values \(\$\d+\)/, '$& on conflict do nothing')
}

/** Tells whether the old backend has ended its transaction, and no other runs. */
export async function allIdle(database: Database): Promise<boolean> {
  const { rows } = await database.query<{ busy: boolean }>({
    text: `select exists (select from pg_stat_activity where datname = current_database()
             and pid <> pg_backend_pid() and state not in ('idle')) as busy`,
  })
  return rows[0]?.busy === false
}

/** Tells whether settling waits for the old backend. */
export function waitsForTransaction(database: Database): Promise<boolean> {
  return waits(database, { event: 'transactionid', statement: 'commit_marker' })
}

/** Tells whether a transaction waits for an advisory lock. */
export function waitsForAdvisoryLock(database: Database): Promise<boolean> {
  return waits(database, { event: 'advisory', statement: 'pg_advisory_xact_lock' })
}

async function waits(database: Database, what: { readonly event: string; readonly statement: string }) {
  const { rowCount } = await database.query({
    text: `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
             and wait_event = $1 and query like '%' || $2 || '%'`,
    values: [what.event, what.statement],
  })
  return rowCount > 0
}
