import { Command, type CommanderError } from 'commander'
import { Ended, exitCodes, UsageError } from './exit-codes.ts'

const exitCodeHelp = 'Exit codes: 0 done, 1 failed, 2 wrong usage (unknown command, flag, setting or value).'

/** A command whose mistakes are told in one line that names what is wrong and what is valid. */
export function newCommand(name: string): Command {
  const command = new Command(name)
  command
    .exitOverride((error) => {
      throw mistake(command, error)
    })
    .configureOutput({ writeErr() {} })
    .configureHelp({ showGlobalOptions: true, subcommandTerm: (subcommand) => subcommand.name() })
    .helpOption('-h, --help', 'show this')
    .helpCommand(false)
    .allowExcessArguments(false)
    .showSuggestionAfterError(false)
  return command
}

/** Adds what every help text ends with: examples that can be copied, and the exit codes. */
export function withExamples(command: Command, examples: readonly string[]): Command {
  const lines = ['', 'Examples:', ...examples.map((example) => `  ${example}`), '', exitCodeHelp]
  return command.addHelpText('after', lines.join('\n'))
}

/** A command that only groups others. */
export function withSubcommands(command: Command, subcommands: readonly Command[]): Command {
  for (const subcommand of subcommands) command.addCommand(subcommand)
  return command
    .usage('<command>')
    .allowExcessArguments(true)
    .action(() => {
      const [found] = command.args
      const what = found === undefined ? 'a command is missing' : `unknown command '${found}'`
      throw new UsageError(`${what}: expected one of ${names(subcommands)} (${pathOf(command)} --help)`)
    })
}

/** Help and the version were shown and nothing is to be done; anything else is wrong usage. */
function mistake(command: Command, error: CommanderError): Error {
  if (error.exitCode === 0) return new Ended(exitCodes.ok)
  const said = error.message.replace(/^error: /, '')
  return new UsageError(`${said}${valid(command, error.code)} (${pathOf(command)} --help)`)
}

function valid(command: Command, code: string): string {
  if (code === 'commander.unknownOption') return `: expected one of ${flags(command).join(', ')}`
  return ''
}

function names(commands: readonly Command[]): string {
  return commands.map((command) => command.name()).join(', ')
}

function flags(command: Command): string[] {
  const help = command.createHelp()
  return [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)].map(
    ({ long, short }) => long ?? short ?? '',
  )
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`
}
