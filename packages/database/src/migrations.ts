import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { type FaultPoints, noFaults, PlatformError } from '@headrace/runtime'
import { isConnectionError, sqlState } from './errors.ts'
import type { Database, Queryable } from './types.ts'

/** A folder of migrations: `001-name.sql`, `002-name.sql`, … in one schema. Migrations only add. */
export interface MigrationSource {
  /** Unique name: the package's or module's. */
  readonly name: string
  /** Made when missing. */
  readonly schema: string
  readonly directory: URL
}

export interface Migration {
  readonly source: string
  readonly schema: string
  /** File name, which also orders them. */
  readonly file: string
  readonly sql: string
  readonly checksum: string
}

/** This package's own tables. */
export const databaseMigrations: MigrationSource = {
  name: 'database',
  schema: 'headrace',
  directory: new URL('../migrations/', import.meta.url),
}

/** Key of the advisory lock that lets one process at a time migrate: "headrace" in ASCII, first 4 bytes. */
const migrationLock = 0x68656164

/**
 * Applies what is missing, one process at a time, all in one transaction, and returns it. Throws `MIGRATION_CHANGED`
 * when an applied file differs from what was applied.
 */
export async function migrate(
  database: Database,
  sources: readonly MigrationSource[],
  faults: FaultPoints = noFaults,
): Promise<readonly Migration[]> {
  const all = await readMigrations(sources)
  return database.inTransaction(async (tx) => {
    await tx.query({ text: `select pg_advisory_xact_lock(${migrationLock})` })
    await tx.query({ text: ledger })
    const missing = unapplied(all, await appliedMigrations(tx))
    for (const migration of missing) await apply(tx, migration)
    await faults.at('migrate.before-commit')
    return missing
  })
}

/** What `migrate` would apply. Throws `MIGRATION_CHANGED` as it does. */
export async function pendingMigrations(
  database: Queryable,
  sources: readonly MigrationSource[],
): Promise<readonly Migration[]> {
  return unapplied(await readMigrations(sources), await appliedMigrations(database))
}

const ledger = `
  create schema if not exists headrace;
  create table if not exists headrace.migration (
    source text not null,
    file text not null,
    checksum text not null,
    applied_at timestamptz not null default now(),
    primary key (source, file)
  )`

async function readMigrations(sources: readonly MigrationSource[]): Promise<Migration[]> {
  const perSource = await Promise.all(
    sources.map(async ({ name, schema, directory }) => {
      const files = (await readdir(directory)).filter((file) => file.endsWith('.sql')).sort()
      return Promise.all(
        files.map(async (file) => {
          const sql = await readFile(new URL(file, directory), 'utf8')
          return { source: name, schema, file, sql, checksum: createHash('sha256').update(sql).digest('hex') }
        }),
      )
    }),
  )
  return perSource.flat()
}

/** Checksums by `source/file`; none when nothing was ever applied. */
async function appliedMigrations(database: Queryable): Promise<ReadonlyMap<string, string>> {
  const { rows } = await database.query<{ present: boolean }>({
    text: `select to_regclass('headrace.migration') is not null as present`,
  })
  if (rows[0]?.present !== true) return new Map()
  const applied = await database.query<{ id: string; checksum: string }>({
    text: `select source || '/' || file as id, checksum from headrace.migration`,
  })
  return new Map(applied.rows.map(({ id, checksum }) => [id, checksum]))
}

function unapplied(all: readonly Migration[], applied: ReadonlyMap<string, string>): Migration[] {
  return all.filter(({ source, file, checksum }) => {
    const known = applied.get(`${source}/${file}`)
    if (known !== undefined && known !== checksum) {
      throw new PlatformError('MIGRATION_CHANGED', `migration ${source}/${file} differs from what was applied`)
    }
    return known === undefined
  })
}

async function apply(tx: Queryable, { source, schema, file, sql, checksum }: Migration): Promise<void> {
  try {
    await tx.query({ text: `create schema if not exists "${schema}"` })
    await tx.query({ text: sql })
    await tx.query({
      text: 'insert into headrace.migration (source, file, checksum) values ($1, $2, $3)',
      values: [source, file, checksum],
    })
  } catch (error) {
    if (sqlState(error) === undefined || isConnectionError(error)) throw error
    throw new Error(`migration ${source}/${file} failed`, { cause: error })
  }
}
