import { type Database, type MigrationSource, migrate, requireSupportedServer } from '@headrace/database'
import type { Command } from 'commander'
import { newCommand, withExamples } from '../program.ts'
import { allStorageNeeds } from '../settings.ts'
import { withDatabase } from '../storage.ts'
import type { Terminal } from '../terminal.ts'

/** `headrace migrate`: brings the schema of every database up to date, one process at a time. */
export function migrateCommand(terminal: Terminal): Command {
  const command = newCommand('migrate')
    .option('--json', 'print the applied migrations as a JSON array')
    .action(async (options: { readonly json?: true }) => {
      const applied: AppliedMigration[] = []
      for (const { needs, sources } of allStorageNeeds(terminal, command)) {
        applied.push(...(await withDatabase(needs, (database) => bringUpToDate(database, sources), { create: true })))
      }
      const names = applied.map(({ source, file }) => `${source}/${file}`)
      if (options.json === true) terminal.out(JSON.stringify(names, null, 2))
      else
        for (const line of names.length === 0 ? ['the schema is up to date'] : names.map((name) => `applied ${name}`))
          terminal.out(line)
    })
  return withExamples(command, ['headrace migrate', 'DATABASE_URL=postgres://headrace@db/headrace headrace migrate'])
}

type AppliedMigration = Awaited<ReturnType<typeof migrate>>[number]

async function bringUpToDate(database: Database, sources: readonly MigrationSource[]) {
  await requireSupportedServer(database)
  return migrate(database, sources)
}
