import { forgetGroup, forgetProvider } from '@headrace/relay'
import type { Command } from 'commander'
import { confirmed } from '../confirm.ts'
import { newCommand, withExamples } from '../program.ts'
import { withCurrentDatabase } from '../settings.ts'
import type { Terminal } from '../terminal.ts'

const relayPrefix = 'relay:'

/** `headrace queues forget`: removes a group that will not come back. */
export function forgetCommand(terminal: Terminal): Command {
  const command = newCommand('forget')
    .description('remove a group that will not come back, so that the log is not kept for it')
    .argument('<group>', 'the group; relay:<provider> for a broker')
    .option('-y, --yes', 'do not ask')
    .action(async (group: string, options: { readonly yes?: true }) => {
      const question = `Forget group '${group}' with all that waits or was set aside for it?`
      if (!(await confirmed(terminal, { question, yes: options.yes === true }))) return
      const told = await withCurrentDatabase(terminal, command, async (database) => {
        if (!group.startsWith(relayPrefix)) return counted(await forgetGroup(database, group))
        const { lanes, parked } = await forgetGroup(database, group)
        return counted({ lanes: lanes + (await forgetProvider(database, group.slice(relayPrefix.length))), parked })
      })
      terminal.out(`${group} is forgotten: ${told}`)
    })
  return withExamples(command, ['headrace queues forget shipping', 'headrace queues forget relay:nats --yes'])
}

function counted({ lanes, parked }: { readonly lanes: number; readonly parked: number }): string {
  return `${lanes} cursors, ${parked} messages that waited`
}
