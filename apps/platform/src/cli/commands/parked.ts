import type { Command } from 'commander'
import { drop, redrive } from '../parked-changes.ts'
import { newCommand, withExamples, withSubcommands } from '../program.ts'
import type { Terminal } from '../terminal.ts'
import { changeCommand } from './parked-change.ts'
import { listCommand, showCommand } from './parked-list.ts'

/** `headrace parked`: what failed and waits, and what somebody decides about it. */
export function parkedCommand(terminal: Terminal): Command {
  const command = newCommand('parked')
  const subcommands = [
    listCommand(terminal),
    showCommand(terminal),
    changeCommand(terminal, redrive),
    changeCommand(terminal, drop),
  ]
  return withExamples(withSubcommands(command, subcommands), [
    'headrace parked list --group processor-group',
    'headrace parked show 17',
    'headrace parked redrive 17',
    'headrace parked drop --all --topic diplom-messages --yes',
  ])
}
