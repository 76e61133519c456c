import { type QueueStatus, queueStatus } from '@headrace/inbox'
import { type RelayStatus, relayStatus } from '@headrace/relay'
import type { Command } from 'commander'
import { newCommand, withExamples } from '../program.ts'
import { withCurrentDatabase } from '../settings.ts'
import { type Column, shortened, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { forgetCommand } from './queues-forget.ts'
import { resendCommand } from './queues-resend.ts'
import { switchCommand } from './queues-switch.ts'

const columns = [
  { title: 'group', value: ({ group }) => group },
  { title: 'topic', value: ({ topic }) => topic },
  ...(['head', 'position', 'lag', 'queued', 'dead', 'blockedKeys', 'members'] as const).map((name) => ({
    title: name === 'blockedKeys' ? 'blocked keys' : name,
    align: 'right' as const,
    value: (status: QueueStatus) => String(status[name]),
  })),
] as const satisfies readonly Column<QueueStatus>[]

const providerColumns = [
  { title: 'provider', value: ({ provider }) => provider },
  { title: 'topic', value: ({ topic }) => topic },
  ...(['head', 'cursor', 'lag', 'undrained'] as const).map((name) => ({
    title: name,
    align: 'right' as const,
    value: (status: RelayStatus) => String(status[name]),
  })),
  { title: 'in use', value: ({ active }) => (active ? 'yes' : 'no') },
  { title: 'breaker', value: ({ breaker }) => breaker },
  { title: 'last error', value: lastErrorOf },
] as const satisfies readonly Column<RelayStatus>[]

const meaning = `
What the columns say:
  head          messages ever appended to the topic
  position      messages that the group has taken: handled, queued or set aside
  lag           messages that the group has not taken yet, or that the provider does not have yet
  queued        taken, and waiting for a worker or for their next attempt
  dead          set aside for somebody to decide (headrace parked list)
  blocked keys  keys that wait behind a dead message
  members       processes that read for the group
  cursor        messages that the provider has confirmed, or that every group had before it was used
  undrained     messages that the provider has and the slowest group has not taken: 0 before it may be taken away
  breaker       closed = well; open = it failed several times in a row and is asked again after a while`

/** `headrace queues`: how far every group and every provider is. */
export function queuesCommand(terminal: Terminal): Command {
  const command = newCommand('queues')
    .option('--json', 'print a JSON array; providers are the groups relay:<provider>')
    .addHelpText('after', meaning)
    .action(async (options: { readonly json?: true }) => {
      const [groups, providers] = await withCurrentDatabase(terminal, command, async (database) => [
        await queueStatus(database),
        await relayStatus(database),
      ])
      if (options.json === true) terminal.out(JSON.stringify(groups.map(detailed(providers)), null, 2))
      else for (const line of tables(groups, providers)) terminal.out(line)
    })
  for (const subcommand of [resendCommand(terminal), forgetCommand(terminal), switchCommand(terminal)]) {
    command.addCommand(subcommand)
  }
  return withExamples(command, [
    'headrace queues',
    "headrace queues --json | jq '.[] | select(.lag > 0)'",
    'headrace queues switch kafka',
    'headrace queues resend orders-events --provider kafka',
    'headrace queues forget shipping',
  ])
}

function tables(groups: readonly QueueStatus[], providers: readonly RelayStatus[]): string[] {
  const consumers = groups.filter(({ group }) => !group.startsWith('relay:'))
  const first = consumers.length === 0 ? ['no group has read anything yet'] : table(columns, consumers)
  return providers.length === 0 ? first : [...first, '', ...table(providerColumns, providers)]
}

function detailed(providers: readonly RelayStatus[]) {
  return (status: QueueStatus) => {
    const found = providers.find(
      ({ provider, topic }) => `relay:${provider}` === status.group && topic === status.topic,
    )
    return found === undefined ? status : { ...status, ...found }
  }
}

function lastErrorOf({ lastError, lastErrorAt }: RelayStatus): string {
  return lastError === null ? '' : `${lastErrorAt?.toISOString() ?? ''} ${shortened(lastError, 60)}`
}
