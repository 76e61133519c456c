import type { Command } from 'commander'
import { Ended, type ExitCode, exitCodes, UsageError } from './exit-codes.ts'
import { newCommand, withExamples, withSubcommands } from './program.ts'
import type { Terminal } from './terminal.ts'
import { version } from './version.ts'

/** Runs what the arguments say and returns the exit code. Never rejects: a failure is told on standard error. */
export async function headrace(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    await (await program(args, terminal)).parseAsync([...args], { from: 'user' })
    return exitCodes.ok
  } catch (error) {
    if (error instanceof Ended) return error.exitCode
    if (error instanceof UsageError) return usageFailure(terminal, error)
    const { failureOf } = await import('./failure.ts')
    const failure = failureOf(error, { debug: terminal.env['LOG_LEVEL'] === 'debug' })
    for (const line of failure.lines) terminal.err(line)
    return failure.exitCode
  }
}

/** Told without loading anything: these are the mistakes that people make while typing. */
function usageFailure(terminal: Terminal, error: UsageError): ExitCode {
  terminal.err(`headrace: ${error.message}`)
  return exitCodes.usage
}

const settingsHelp = `
Settings are environment variables (.env.example lists them all). They are also read from ./.env, or from the file that
--env-file or HEADRACE_ENV_FILE names; what is really set wins. \`headrace doctor\` shows what is configured.

Commands work on DATABASE_URL; without it, on the database in HEADRACE_DATA (./.headrace): that of the process which
runs there, or, while none runs, started for the command alone. Where orders, payments or the order intake have a
database of their own, --database orders|payments|orderIntakeApi|orderIntakeWorker chooses it.`

/** Every command. What it needs is loaded only when it is asked for: help and mistakes are answered at once. */
const commands: readonly CommandEntry[] = [
  {
    name: 'run',
    description: 'start everything, or some modules and roles, and serve until stopped',
    load: async () => (await import('./commands/run.ts')).runCommand,
  },
  {
    name: 'status',
    description: 'show what runs and how it is',
    load: async () => (await import('./commands/status.ts')).statusCommand,
  },
  {
    name: 'queues',
    description: 'show how far every group of consumers is with every topic',
    load: async () => (await import('./commands/queues.ts')).queuesCommand,
  },
  {
    name: 'audit',
    description: 'check over all data that money, orders, messages and streams are as they must be',
    load: async () => (await import('./commands/audit.ts')).auditCommand,
  },
  {
    name: 'parked',
    description: 'look at messages that failed, send them back or drop them',
    load: async () => (await import('./commands/parked.ts')).parkedCommand,
  },
  {
    name: 'sql',
    description: 'run one SQL statement that only reads',
    load: async () => (await import('./commands/sql.ts')).sqlCommand,
  },
  {
    name: 'migrate',
    description: 'bring the database’s schema up to date; `run` does so by itself',
    load: async () => (await import('./commands/migrate.ts')).migrateCommand,
  },
  {
    name: 'doctor',
    description: 'show what is configured, reachable and missing, and how to fix it',
    load: async () => (await import('./commands/doctor.ts')).doctorCommand,
  },
  {
    name: 'openapi',
    description: 'print the API’s description (OpenAPI 3.1, JSON); needs nothing that runs',
    load: async () => (await import('./commands/openapi.ts')).openapiCommand,
  },
]

interface CommandEntry {
  readonly name: string
  readonly description: string
  load(): Promise<(terminal: Terminal) => Command>
}

async function program(args: readonly string[], terminal: Terminal): Promise<Command> {
  const command = newCommand('headrace')
    .description('Reliable event-driven backends: accept, record, process once, and see that it is so.')
    .version(version, '-V, --version', 'print the version')
    .option('--env-file <file>', 'read settings from this file instead of ./.env')
    .option('--database <name>', 'work on this database where modules have their own: orders, payments, …')
    .addHelpText('after', settingsHelp)
  const all = await Promise.all(
    commands.map(async ({ name, description, load }) => {
      const loaded = args.includes(name) ? (await load())(terminal) : newCommand(name)
      return loaded.description(description)
    }),
  )
  return withExamples(withSubcommands(command, all), [
    'headrace run',
    'headrace run --only pipeline:processor',
    'headrace doctor',
    'headrace parked list',
  ])
}
