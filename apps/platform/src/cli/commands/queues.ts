import { type QueueStatus, queueStatus } from '@headrace/inbox'
import type { Command } from 'commander'
import { newCommand, withExamples } from '../program.ts'
import { withCurrentDatabase } from '../settings.ts'
import { type Column, table } from '../table.ts'
import type { Terminal } from '../terminal.ts'

const columns = [
  { title: 'group', value: ({ group }) => group },
  { title: 'topic', value: ({ topic }) => topic },
  ...(['head', 'position', 'lag', 'queued', 'dead', 'blockedKeys', 'members'] as const).map((name) => ({
    title: name === 'blockedKeys' ? 'blocked keys' : name,
    align: 'right' as const,
    value: (status: QueueStatus) => String(status[name]),
  })),
] as const satisfies readonly Column<QueueStatus>[]

const meaning = `
What the columns say:
  head          messages ever appended to the topic
  position      messages that the group has taken: handled, queued or set aside
  lag           messages that the group has not taken yet
  queued        taken, and waiting for a worker or for their next attempt
  dead          set aside for somebody to decide (headrace parked list)
  blocked keys  keys that wait behind a dead message
  members       processes that read for the group`

/** `headrace queues`: how far every group is. */
export function queuesCommand(terminal: Terminal): Command {
  const command = newCommand('queues')
    .option('--json', 'print a JSON array')
    .addHelpText('after', meaning)
    .action(async (options: { readonly json?: true }) => {
      const statuses = await withCurrentDatabase(terminal, command, (database) => queueStatus(database))
      if (options.json === true) terminal.out(JSON.stringify(statuses, null, 2))
      else if (statuses.length === 0) terminal.out('no group has read anything yet')
      else for (const line of table(columns, statuses)) terminal.out(line)
    })
  return withExamples(command, ['headrace queues', "headrace queues --json | jq '.[] | select(.lag > 0)'"])
}
