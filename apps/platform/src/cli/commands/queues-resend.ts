import { type Resending, resend } from '@headrace/relay'
import type { Command } from 'commander'
import { newCommand, withExamples } from '../program.ts'
import { withCurrentDatabase } from '../settings.ts'
import type { Terminal } from '../terminal.ts'
import { wholeNumber } from '../whole-number.ts'

/** `headrace queues resend`: has what a provider has lost sent again. */
export function resendCommand(terminal: Terminal): Command {
  const command = newCommand('resend')
    .description('send a topic to its brokers again from the log: mends what a broker has lost (LANE_GAP)')
    .argument('<topic>', 'the topic')
    .option('--provider <name>', 'only to this broker: kafka, nats or memory')
    .option('--partition <n>', 'only this partition of the log', wholeNumber('--partition', { min: 0, max: 15 }))
    .option('--from <offset>', 'from this offset on; unset = what any group needs', wholeNumber('--from', { min: 1 }))
    .option('--json', 'print a JSON array')
    .action(async (topic: string, options: Omit<Resending, 'topic'>) => {
      const { provider, partition, from } = options
      const what = {
        topic,
        ...(provider !== undefined && { provider }),
        ...(partition !== undefined && { partition }),
        ...(from !== undefined && { from }),
      }
      // `queues` has this flag, too, and takes it wherever it stands.
      const { json } = command.optsWithGlobals<{ readonly json?: true }>()
      const sent = await withCurrentDatabase(terminal, command, (database) => resend(database, what))
      if (json === true) terminal.out(JSON.stringify(sent))
      else if (sent.length === 0) terminal.out('nothing is to be sent again: no group is behind what was confirmed')
      else
        for (const { provider, partition, from } of sent) terminal.out(`${provider} ${topic}/${partition} from ${from}`)
    })
  return withExamples(command, [
    'headrace queues resend orders-events',
    'headrace queues resend orders-events --provider kafka --partition 3 --from 1200',
  ])
}
