import { migrate, requireSupportedServer } from '@headrace/database'
import type { Command } from 'commander'
import { migrationSources } from '../../migrations.ts'
import { newCommand, withExamples } from '../program.ts'
import { storageNeeds } from '../settings.ts'
import { withDatabase } from '../storage.ts'
import type { Terminal } from '../terminal.ts'

/** `headrace migrate`: brings the schema up to date, one process at a time. */
export function migrateCommand(terminal: Terminal): Command {
  const command = newCommand('migrate')
    .option('--json', 'print the applied migrations as a JSON array')
    .action(async (options: { readonly json?: true }) => {
      const needs = storageNeeds(terminal, command)
      const applied = await withDatabase(
        needs,
        async (database) => {
          await requireSupportedServer(database)
          return migrate(database, migrationSources)
        },
        { create: true },
      )
      const names = applied.map(({ source, file }) => `${source}/${file}`)
      if (options.json === true) terminal.out(JSON.stringify(names, null, 2))
      else
        for (const line of names.length === 0 ? ['the schema is up to date'] : names.map((name) => `applied ${name}`))
          terminal.out(line)
    })
  return withExamples(command, ['headrace migrate', 'DATABASE_URL=postgres://headrace@db/headrace headrace migrate'])
}
