import type { Command } from 'commander'
import { doctorCommand } from './commands/doctor.ts'
import { migrateCommand } from './commands/migrate.ts'
import { openapiCommand } from './commands/openapi.ts'
import { parkedCommand } from './commands/parked.ts'
import { queuesCommand } from './commands/queues.ts'
import { runCommand } from './commands/run.ts'
import { sqlCommand } from './commands/sql.ts'
import { statusCommand } from './commands/status.ts'
import { Ended, type ExitCode, exitCodes } from './exit-codes.ts'
import { failureOf } from './failure.ts'
import { newCommand, withExamples, withSubcommands } from './program.ts'
import type { Terminal } from './terminal.ts'
import { version } from './version.ts'

/** Runs what the arguments say and returns the exit code. Never rejects: a failure is told on standard error. */
export async function headrace(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    await program(terminal).parseAsync([...args], { from: 'user' })
    return exitCodes.ok
  } catch (error) {
    if (error instanceof Ended) return error.exitCode
    const failure = failureOf(error, { debug: terminal.env['LOG_LEVEL'] === 'debug' })
    for (const line of failure.lines) terminal.err(line)
    return failure.exitCode
  }
}

const settingsHelp = `
Settings are environment variables (.env.example lists them all). They are also read from ./.env, or from the file that
--env-file or HEADRACE_ENV_FILE names; what is really set wins. \`headrace doctor\` shows what is configured.`

function program(terminal: Terminal): Command {
  const command = newCommand('headrace')
    .description('Reliable event-driven backends: accept, record, process once, and see that it is so.')
    .version(version, '-V, --version', 'print the version')
    .option('--env-file <file>', 'read settings from this file instead of ./.env')
    .addHelpText('after', settingsHelp)
  const commands = [
    runCommand(terminal),
    statusCommand(terminal),
    queuesCommand(terminal),
    parkedCommand(terminal),
    sqlCommand(terminal),
    migrateCommand(terminal),
    doctorCommand(terminal),
    openapiCommand(terminal),
  ]
  return withExamples(withSubcommands(command, commands), [
    'headrace run',
    'headrace run --only pipeline:processor',
    'headrace doctor',
    'headrace parked list',
  ])
}
