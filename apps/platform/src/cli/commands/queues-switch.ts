import { readFile, writeFile } from 'node:fs/promises'
import { type RelayStatus, relayStatus } from '@headrace/relay'
import { messageOf } from '@headrace/runtime'
import type { Command } from 'commander'
import { queueTypes } from '../../broker-settings.ts'
import { providersInUse } from '../../queue-choice.ts'
import { UsageError } from '../exit-codes.ts'
import { newCommand, withExamples } from '../program.ts'
import { allSettings, environmentOf, withCurrentDatabase } from '../settings.ts'
import type { Terminal } from '../terminal.ts'
import { withSetting } from '../with-setting.ts'

/** `headrace queues switch`: writes QUEUE_TYPE and says what follows. */
export function switchCommand(terminal: Terminal): Command {
  const command = newCommand('switch')
    .description('write QUEUE_TYPE into the env file, and say what is left to drain')
    .argument('<type>', queueTypes.join(', '))
    .action(async (type: string) => {
      if (!queueTypes.some((known) => known === type)) {
        throw new UsageError(`there is no queue '${type}': expected one of ${queueTypes.join(', ')}`)
      }
      const { file = '.env', env, real } = environmentOf(terminal, command)
      const before = env['QUEUE_TYPE'] ?? 'postgres'
      await rewrite(file, type)
      terminal.out(`${file}: QUEUE_TYPE=${type} (was ${before})`)
      if (real['QUEUE_TYPE'] !== undefined && real['QUEUE_TYPE'] !== type) {
        terminal.err(`QUEUE_TYPE=${real['QUEUE_TYPE']} is set in the environment and wins over ${file}`)
      }
      terminal.out('restart every process, one after the other; nothing is lost on the way, whatever the order')
      const settings = allSettings({ ...env, QUEUE_TYPE: type })
      for (const line of await leftToDrain(terminal, command, providersInUse(settings))) terminal.out(line)
    })
  return withExamples(command, ['headrace queues switch kafka', 'make switch-queue QUEUE=composite'])
}

async function rewrite(file: string, type: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  await writeFile(file, withSetting(text, 'QUEUE_TYPE', type))
}

async function leftToDrain(terminal: Terminal, command: Command, inUse: ReadonlySet<string>): Promise<string[]> {
  try {
    const statuses = await withCurrentDatabase(terminal, command, (database) => relayStatus(database))
    const leaving = statuses.filter(({ provider }) => !inUse.has(provider))
    if (leaving.length === 0) return ['no broker is left behind: there is nothing to drain']
    return leaving.map(drainLine)
  } catch (error) {
    return [`what is left to drain cannot be told now (${messageOf(error)}); see \`headrace queues\``]
  }
}

function drainLine({ provider, topic, undrained }: RelayStatus): string {
  if (undrained === 0) return `${provider} ${topic}: drained, it may be taken away once no process is set to it`
  return `${provider} ${topic}: ${undrained} messages left to drain; keep it until \`headrace queues\` shows 0`
}
