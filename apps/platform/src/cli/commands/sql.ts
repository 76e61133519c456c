import type { Database } from '@headrace/database'
import { sqlState } from '@headrace/database'
import type { Command } from 'commander'
import { CommandFailure } from '../exit-codes.ts'
import { newCommand, withExamples } from '../program.ts'
import { storageNeeds } from '../settings.ts'
import { withDatabase } from '../storage.ts'
import { table } from '../table.ts'
import type { Terminal } from '../terminal.ts'

type Row = Readonly<Record<string, unknown>>

/** `headrace sql`: one statement in a transaction that can only read. */
export function sqlCommand(terminal: Terminal): Command {
  const command = newCommand('sql')
    .argument('<statement>', 'one statement; it runs in a read-only transaction')
    .option('--json', 'print the rows as a JSON array')
    .action(async (statement: string, options: { readonly json?: true }) => {
      const rows = await withDatabase(storageNeeds(terminal, command), (database) => readOnly(database, statement))
      if (options.json === true) terminal.out(JSON.stringify(rows.map(asJson), null, 2))
      else for (const line of forPeople(rows)) terminal.out(line)
    })
  return withExamples(command, [
    "headrace sql 'select topic, sum(next_offset - 1) as messages from headrace.log_head group by topic'",
    "headrace sql --json 'select count(*) from headrace.parked_message'",
  ])
}

/** Who may do everything could write files and start programs (`copy … to program`): reading all that is stored is enough. */
const withoutPowers = `select set_config('role', 'pg_read_all_data', true) from pg_roles where rolname = current_user and rolsuper`

async function readOnly(database: Database, statement: string): Promise<readonly Row[]> {
  try {
    return await database.inTransaction(async (tx) => {
      await tx.query({ text: 'set transaction read only' })
      await tx.query({ text: withoutPowers })
      // A name makes the server take exactly one statement: none can end our transaction and write behind it.
      const { rows } = await tx.query<Row>({ name: 'cli.sql', text: statement })
      return rows
    })
  } catch (error) {
    const state = sqlState(error)
    if (state === '25006') throw new CommandFailure(`sql only reads: ${(error as Error).message} (SQLSTATE ${state})`)
    if (state === '42601' && /multiple commands/.test((error as Error).message)) {
      throw new CommandFailure('sql takes one statement at a time')
    }
    throw error
  }
}

function forPeople(rows: readonly Row[]): readonly string[] {
  const columns = Object.keys(rows[0] ?? {}).map((title) => ({
    title,
    value: (row: Row) => text(row[title]),
    ...(rows.every((row) => row[title] === null || typeof row[title] === 'number') && { align: 'right' as const }),
  }))
  const count = `${rows.length} ${rows.length === 1 ? 'row' : 'rows'}`
  return rows.length === 0 ? [count] : [...table(columns, rows), '', count]
}

function text(value: unknown): string {
  if (value === null || value === undefined) return ''
  const plain = plainOf(value)
  const shown = typeof plain === 'string' ? plain : JSON.stringify(plain)
  return shown.replaceAll('\n', '\\n')
}

function asJson(row: Row): Row {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plainOf(value)]))
}

/** Bytes as PostgreSQL writes them, times as RFC 3339. */
function plainOf(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return `\\x${value.toString('hex')}`
  return value instanceof Date ? value.toISOString() : value
}
