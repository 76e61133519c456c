import type { Database } from '@headrace/database'
import { auditPayments } from '@headrace/payments/module'
import type { Command } from 'commander'
import { auditLog } from '../../audit/log.ts'
import type { CheckedRule } from '../../audit/rule.ts'
import { auditShop } from '../../audit/shop.ts'
import type { StationName } from '../../stations.ts'
import { databasePlace } from '../database-place.ts'
import { Ended, exitCodes } from '../exit-codes.ts'
import { newCommand, withExamples } from '../program.ts'
import { allStorageNeeds, type PlaceNeeds } from '../settings.ts'
import { hasCluster, withDatabase } from '../storage.ts'
import { type Column, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { wholeNumber } from '../whole-number.ts'

/** A rule with the database that it was checked in. */
interface Line extends CheckedRule {
  readonly place: string
}

const columns = [
  { title: '', value: ({ wrong }) => (wrong.length === 0 ? 'ok' : 'WRONG') },
  { title: 'rule', value: ({ rule }) => rule },
  { title: 'checked', align: 'right', value: ({ checked }) => String(checked) },
  { title: 'wrong', align: 'right', value: ({ wrong }) => String(wrong.length) },
  { title: 'under way', align: 'right', value: ({ underWay }) => (underWay === undefined ? '' : String(underWay)) },
  { title: 'database', value: ({ place }) => place },
] as const satisfies readonly Column<Line>[]

const meaning = `
Looks at all data, while everything goes on running. What a message on its way explains is looked at again for a while
and then counted as under way. Exit code 1 when something is wrong; its ids follow the table.`

/** `headrace audit`: checks what must hold. */
export function auditCommand(terminal: Terminal): Command {
  const command = newCommand('audit')
    .option('--json', 'print a JSON array')
    .option(
      '--patience <ms>',
      'how long to look again at what is under way',
      wholeNumber('--patience', { min: 0 }),
      10_000,
    )
    .addHelpText('after', meaning)
    .action(async (options: { readonly json?: true; readonly patience: number }) => {
      const needs = await existing(allStorageNeeds(terminal, command), terminal)
      const lines = await withAll(needs, [], (places) => audit(places, options.patience))
      if (options.json === true) terminal.out(JSON.stringify(lines, null, 2))
      else for (const line of report(lines)) terminal.out(line)
      if (lines.some(({ wrong }) => wrong.length > 0)) throw new Ended(exitCodes.failure)
    })
  return withExamples(command, ['headrace audit', 'headrace audit --json --patience 30000'])
}

/** Without the embedded database where all modules have databases of their own and it was never made. */
async function existing(places: readonly PlaceNeeds[], terminal: Terminal): Promise<readonly PlaceNeeds[]> {
  const servers = places.filter(({ place }) => place.url !== undefined)
  const embedded = places.find(({ place }) => place.url === undefined)
  if (embedded === undefined || servers.length === 0) return places
  const { dataDirectory } = embedded.needs
  if (await hasCluster(dataDirectory)) return places
  terminal.err(`there is no database in ${dataDirectory}: the others are checked`)
  return servers
}

interface OpenPlace {
  readonly name: string
  readonly stations: readonly StationName[]
  readonly database: Database
}

/** Runs `work` with every database open. */
function withAll<T>(
  [first, ...rest]: readonly PlaceNeeds[],
  open: readonly OpenPlace[],
  work: (places: readonly OpenPlace[]) => Promise<T>,
): Promise<T> {
  if (first === undefined) return work(open)
  const { place, needs } = first
  const name = place.url === undefined ? 'embedded' : databasePlace(place.url)
  return withDatabase(needs, (database) => withAll(rest, [...open, { name, stations: place.stations, database }], work))
}

async function audit(places: readonly OpenPlace[], patienceMs: number): Promise<readonly Line[]> {
  const lines: Line[] = []
  for (const { name, database } of places) {
    lines.push(...(await auditLog(database)).map((rule) => ({ ...rule, place: name })))
  }
  const at = (station: StationName) => places.find(({ stations }) => stations.includes(station))
  const orders = at('orders')
  const payments = at('payments')
  if (orders === undefined || payments === undefined) return lines
  lines.push(...(await auditPayments(payments.database)).map((rule) => ({ ...rule, place: payments.name })))
  const databases = { orders: orders.database, payments: payments.database }
  const place = orders === payments ? orders.name : `${orders.name} and ${payments.name}`
  lines.push(...(await auditShop(databases, patienceMs)).map((rule) => ({ ...rule, place })))
  return lines
}

function report(lines: readonly Line[]): string[] {
  const wrong = lines.filter((line) => line.wrong.length > 0)
  const ids = wrong.flatMap((line) => [
    '',
    `${line.rule} (${line.place}) does not hold for`,
    ...line.wrong.map((id) => `  ${id}`),
  ])
  const end =
    wrong.length === 0 ? 'everything that was checked holds' : `${wrong.length} of ${lines.length} rules are broken`
  return [...table(columns, lines), ...ids, '', end]
}
