import { listParked, type ParkedView, showParked } from '@headrace/inbox'
import type { Command } from 'commander'
import { CommandFailure } from '../exit-codes.ts'
import { newCommand, withExamples } from '../program.ts'
import { withCurrentDatabase } from '../settings.ts'
import { type Column, shortened, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { wholeNumber } from '../whole-number.ts'

interface ListOptions {
  readonly group?: string
  readonly topic?: string
  readonly key?: string
  readonly messageId?: string
  readonly untried?: true
  readonly after?: number
  readonly limit?: number
  readonly json?: true
}

const columns = [
  { title: 'id', align: 'right', value: ({ seq }) => String(seq) },
  { title: 'state', value: ({ state }) => state },
  { title: 'group', value: ({ group }) => group },
  { title: 'topic', value: ({ topic }) => topic },
  { title: 'key', value: ({ key }) => shortened(key, 24) },
  { title: 'message', value: ({ messageId }) => shortened(messageId, 40) },
  { title: 'attempts', align: 'right', value: ({ attempts }) => String(attempts) },
  { title: 'parked at', value: ({ parkedAt }) => parkedAt.toISOString() },
  { title: 'error', value: ({ code, error }) => shortened([code, error].filter(Boolean).join(': '), 80) },
] as const satisfies readonly Column<ParkedView>[]

const states = `
States:
  queued   runs again by itself, when its next attempt is due
  dead     was given up: it waits for \`parked redrive\` or \`parked drop\`
  blocked  waits behind a dead message of its key`

/** `headrace parked list`. */
export function listCommand(terminal: Terminal): Command {
  const command = newCommand('list')
    .description('list messages that failed, the oldest first')
    .option('--group <name>', 'only of this group')
    .option('--topic <name>', 'only of this topic')
    .option('--key <key>', 'only with this key')
    .option('--message-id <id>', 'only the message with this id')
    .option('--untried', 'also those that only wait for a worker or behind their key')
    .option('--after <id>', 'continue behind this id', wholeNumber('--after', { min: 0 }))
    .option('--limit <n>', 'at most so many, 1 to 1000 (50)', wholeNumber('--limit', { min: 1, max: 1000 }))
    .option('--json', 'print a JSON array')
    .addHelpText('after', states)
    .action(async ({ json, ...filter }: ListOptions) => {
      const found = await withCurrentDatabase(terminal, command, (database) => listParked(database, filter))
      if (json === true) terminal.out(JSON.stringify(found.map(withId), null, 2))
      else for (const line of forPeople(found, filter.limit ?? 50)) terminal.out(line)
    })
  return withExamples(command, [
    'headrace parked list',
    'headrace parked list --group processor-group --limit 200 --json',
  ])
}

/** `headrace parked show`. */
export function showCommand(terminal: Terminal): Command {
  const command = newCommand('show')
    .description('show one message with its error, headers and body')
    .argument('<id>', 'id from `headrace parked list`', wholeNumber('<id>', { min: 1 }))
    .option('--json', 'print a JSON object; a body that is no text is base64 under "bodyBase64"')
    .action(async (seq: number, options: { readonly json?: true }) => {
      const found = await withCurrentDatabase(terminal, command, (database) => showParked(database, seq))
      if (found === undefined) throw new CommandFailure(`there is no parked message ${seq} (headrace parked list)`)
      const { body, ...rest } = found
      const view = { ...withId(rest), ...readable(body) }
      if (options.json === true) terminal.out(JSON.stringify(view, null, 2))
      else for (const line of fields(view)) terminal.out(line)
    })
  return withExamples(command, ['headrace parked show 17', 'headrace parked show 17 --json'])
}

function forPeople(found: readonly ParkedView[], limit: number): readonly string[] {
  if (found.length === 0) return ['nothing is parked']
  const last = found.at(-1)?.seq
  const more = found.length === limit ? ['', `there may be more: --after ${last}`] : []
  return [...table(columns, found), ...more]
}

/** The id by its name for people; inside it is the message's place in the order of parking. */
function withId<View extends { readonly seq: number }>({
  seq,
  ...rest
}: View): Omit<View, 'seq'> & { readonly id: number } {
  return { id: seq, ...rest }
}

function readable(body: Buffer): { readonly body: string } | { readonly bodyBase64: string } {
  const text = body.toString('utf8')
  return Buffer.from(text, 'utf8').equals(body) ? { body: text } : { bodyBase64: body.toString('base64') }
}

function fields(view: object): readonly string[] {
  const entries = Object.entries(view).filter(([, value]) => value !== null)
  const width = Math.max(...entries.map(([name]) => name.length))
  return entries.map(([name, value]) => `${name.padEnd(width)}  ${shown(value)}`)
}

function shown(value: unknown): string {
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'string' ? value : JSON.stringify(value)
}
