import type { Database } from '@headrace/database'
import type { Command } from 'commander'
import { confirmed } from '../confirm.ts'
import { CommandFailure, UsageError } from '../exit-codes.ts'
import { applyToAll, deadMessages, type ParkedChange } from '../parked-changes.ts'
import { newCommand, withExamples } from '../program.ts'
import { withCurrentDatabase } from '../settings.ts'
import type { Terminal } from '../terminal.ts'
import { wholeNumber } from '../whole-number.ts'

interface ChangeOptions {
  readonly all?: true
  readonly group?: string
  readonly topic?: string
  readonly yes?: true
  readonly json?: true
}

/** `headrace parked redrive` and `headrace parked drop`. */
export function changeCommand(terminal: Terminal, change: ParkedChange): Command {
  const command = newCommand(change.name)
    .description(change.description)
    .argument('[id]', 'id from `headrace parked list`', wholeNumber('<id>', { min: 1 }))
    .option('--all', 'all dead messages')
    .option('--group <name>', 'with --all: only of this group')
    .option('--topic <name>', 'with --all: only of this topic')
    .option('-y, --yes', 'do not ask')
    .option('--json', 'print the ids as a JSON array')
    .action(async (seq: number | undefined, options: ChangeOptions) => {
      assertOneOrAll(change, seq, options)
      const changed = await withCurrentDatabase(terminal, command, (database) =>
        seq === undefined
          ? changeAll(terminal, { database, change, options })
          : changeOne(terminal, { database, change, options, seq }),
      )
      terminal.out(
        options.json === true ? JSON.stringify(changed) : `${plural(changed.length, 'message')} ${change.done}`,
      )
    })
  return withExamples(command, [
    `headrace parked ${change.name} 17`,
    `headrace parked ${change.name} --all --group processor-group --yes`,
  ])
}

interface Request {
  readonly database: Database
  readonly change: ParkedChange
  readonly options: ChangeOptions
}

async function changeOne(terminal: Terminal, request: Request & { readonly seq: number }): Promise<readonly number[]> {
  const { database, change, options, seq } = request
  const yes = options.yes === true || !change.asksForOne
  if (!(await confirmed(terminal, { question: change.question(`message ${seq}`), yes }))) return []
  const changed = await applyToAll(database, change, [seq])
  if (changed.length === 0) throw new CommandFailure(`there is no parked message ${seq} (headrace parked list)`)
  return changed
}

async function changeAll(terminal: Terminal, { database, change, options }: Request): Promise<readonly number[]> {
  const dead = await deadMessages(database, options)
  if (dead.length === 0) return []
  const question = change.question(plural(dead.length, 'dead message'))
  return (await confirmed(terminal, { question, yes: options.yes === true })) ? applyToAll(database, change, dead) : []
}

function assertOneOrAll({ name }: ParkedChange, seq: number | undefined, options: ChangeOptions): void {
  const all = options.all === true
  if (seq === undefined && !all) throw new UsageError(`parked ${name}: expected an id or --all`)
  if (seq !== undefined && all) throw new UsageError(`parked ${name}: expected an id or --all, not both`)
  const isFiltered = options.group !== undefined || options.topic !== undefined
  if (isFiltered && !all) throw new UsageError(`parked ${name}: --group and --topic go with --all, not with an id`)
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
