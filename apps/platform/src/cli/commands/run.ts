import { runningEmbeddedServer } from '@headrace/database'
import {
  armedFaults,
  createLogger,
  type Environment,
  type FaultPoints,
  type Logger,
  messageOf,
  PlatformError,
  secretValues,
} from '@headrace/runtime'
import type { Command } from 'commander'
import { type Platform, startPlatform } from '../../platform.ts'
import { type PlatformSettings, platformSettings } from '../../settings.ts'
import { banner } from '../banner.ts'
import { Ended, exitCodes } from '../exit-codes.ts'
import { newCommand, withExamples } from '../program.ts'
import { readyReport } from '../ready-report.ts'
import { recordRunning } from '../running-file.ts'
import { allSettings, environmentOf } from '../settings.ts'
import type { Stop, Terminal } from '../terminal.ts'
import { version } from '../version.ts'

interface RunOptions {
  readonly only?: string
  readonly migrate: boolean
}

/** Time in ms in which everything that is in flight must be finished once the process is asked to stop. */
const drainMs = 10_000

const startStop = `
It brings the schema up to date first, one process at a time. When it is ready it prints its addresses, or one line of
JSON where standard output is no terminal.
SIGTERM or Ctrl-C: takes nothing new, finishes what is in flight (at most 10 s) and ends with 0. A second one leaves at
once; nothing that was accepted is lost by that.`

/** `headrace run`: everything, or the modules and roles that `--only` names, until it is asked to stop. */
export function runCommand(terminal: Terminal): Command {
  const command = newCommand('run')
    .option('--only <list>', 'only these modules or roles, as `gateway,pipeline:ingest`')
    .option('--no-migrate', 'refuse an older schema instead of bringing it up to date')
    .addHelpText('after', startStop)
    .action((options: RunOptions) => run(terminal, command, options))
  return withExamples(command, [
    'headrace run',
    'headrace run --only gateway,pipeline:ingest   (needs DATABASE_URL to share the work)',
    'HEADRACE_DATA=/var/lib/headrace API_PORT=9000 headrace run',
  ])
}

async function run(terminal: Terminal, command: Command, { only, migrate }: RunOptions): Promise<void> {
  const startedAt = performance.now()
  const { env } = environmentOf(terminal, command)
  const settings = allSettings(env)
  const format = settings.LOG_FORMAT ?? (terminal.outputIsTerminal ? 'text' : 'json')
  const logger = createLogger({ level: settings.LOG_LEVEL, format, secrets: secretValues(platformSettings, settings) })
  const platform = await startPlatform({
    env,
    migrate,
    logger,
    faults: faultsOf(env),
    ...(only !== undefined && { only }),
  })
  const stop = terminal.stopRequested()
  const startedInMs = performance.now() - startedAt
  try {
    for (const warning of platform.warnings) logger.warn(warning)
    await using _record = await recorded(platform, settings)
    const report = readyReport(platform, settings, startedInMs)
    if (format === 'text') terminal.out(banner(report).join('\n'))
    else logger.info('ready', { ...report })
    await endOf(platform, logger, stop)
  } finally {
    const since = performance.now()
    await platform.stop({ deadlineMs: drainMs })
    logger.info('stopped', { tookMs: Math.round(performance.now() - since) })
  }
}

/** Only whoever owns the data directory is found through it. */
async function recorded(
  { roles, addresses }: Platform,
  settings: PlatformSettings,
): Promise<AsyncDisposable | undefined> {
  const server = await runningEmbeddedServer(settings.HEADRACE_DATA)
  if (server?.ownerPid !== process.pid) return undefined
  const startedAt = new Date().toISOString()
  return recordRunning(settings.HEADRACE_DATA, { pid: process.pid, version, startedAt, roles, addresses })
}

/** Waits until it is asked to stop. Throws when the reason is a failure. */
async function endOf(platform: Platform, logger: Logger, stop: Promise<Stop>): Promise<void> {
  const failed = platform.failed.then((error) => ({ kind: 'failure', error }) as const)
  const reason = await Promise.race([stop, failed])
  if (reason.kind === 'signal') return logger.info(`stopping on ${reason.signal}: what is in flight is finished`)
  if (reason.kind === 'failure') throw reason.error
  logger.fatal('stopping after an error that nobody caught', { error: reason.error })
  throw new Ended(exitCodes.failure)
}

function faultsOf(env: Environment): FaultPoints {
  try {
    return armedFaults(env['HEADRACE_FAULTS'])
  } catch (error) {
    throw new PlatformError('INVALID_SETTING', messageOf(error), { cause: error })
  }
}
