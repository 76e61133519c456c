import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Database,
  type MigrationSource,
  pendingMigrations,
  requireSupportedServer,
  startEmbeddedServer,
} from '@headrace/database'
import { databasePlace } from '../database-place.ts'
import { hasCluster, type StorageNeeds, withDatabase } from '../storage.ts'
import { broken, type Finding } from './finding.ts'

/** Whether the database answers, its version, and whether its schema is this program's. */
export async function examineDatabase(
  needs: StorageNeeds,
  sources: readonly MigrationSource[],
  about: string,
): Promise<readonly Finding[]> {
  try {
    if (needs.databaseUrl === undefined && !(await hasCluster(needs.dataDirectory))) return [await examineEngine()]
    return await withDatabase(needs, async (database) => [
      { about, state: 'ok', text: `${whichOf(needs)}, PostgreSQL ${await requireSupportedServer(database)}` },
      await examineSchema(database, sources),
    ])
  } catch (error) {
    return [broken(about, error)]
  }
}

/** Nothing is there to look at yet: whether the embedded engine works on this machine is tried out elsewhere. */
async function examineEngine(): Promise<Finding> {
  const directory = await mkdtemp(join(tmpdir(), 'headrace-doctor-'))
  try {
    await using _server = await startEmbeddedServer({ dataDirectory: directory })
    return {
      about: 'database',
      state: 'ok',
      text: 'the embedded PostgreSQL works on this machine; the first start makes the database',
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function examineSchema(database: Database, sources: readonly MigrationSource[]): Promise<Finding> {
  const pending = await pendingMigrations(database, sources)
  if (pending.length === 0) return { about: 'schema', state: 'ok', text: 'up to date' }
  const names = pending.map(({ source, file }) => `${source}/${file}`).join(', ')
  return {
    about: 'schema',
    state: 'note',
    text: `lacks ${names}`,
    fix: '`headrace run` applies them, or `headrace migrate`',
  }
}

function whichOf({ databaseUrl }: StorageNeeds): string {
  return databaseUrl === undefined ? 'embedded' : databasePlace(databaseUrl)
}
