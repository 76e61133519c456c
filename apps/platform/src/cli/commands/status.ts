import type { Command } from 'commander'
import { Ended, exitCodes } from '../exit-codes.ts'
import { newCommand, withExamples } from '../program.ts'
import { environmentOf } from '../settings.ts'
import { type GatewayStatus, isHealthy, type StatusReport, statusReport } from '../status-report.ts'
import { table } from '../table.ts'
import type { Terminal } from '../terminal.ts'

const where = `
Without --url it asks the process that runs on the data directory; with DATABASE_URL, the gateway on this machine’s
API_PORT. Exit code 1 also when nothing runs or a part is not healthy.`

/** `headrace status`: what runs and how it is. */
export function statusCommand(terminal: Terminal): Command {
  const command = newCommand('status')
    .option('--url <address>', 'ask this gateway, as http://127.0.0.1:8080')
    .option('--json', 'print a JSON object')
    .addHelpText('after', where)
    .action(async (options: { readonly url?: string; readonly json?: true }) => {
      const report = await statusReport(environmentOf(terminal, command).env, options.url)
      if (options.json === true) terminal.out(JSON.stringify(report, null, 2))
      else for (const line of forPeople(report)) terminal.out(line)
      if (!isHealthy(report)) throw new Ended(exitCodes.failure)
    })
  return withExamples(command, ['headrace status', 'headrace status --url http://127.0.0.1:9000 --json'])
}

function forPeople({ process, addresses, status }: StatusReport): readonly string[] {
  const facts = [
    ...(process === undefined
      ? []
      : [
          ['process', `${process.pid}, version ${process.version}, since ${process.startedAt}`],
          ['runs', process.roles.join(', ')],
        ]),
    ...addresses.map(({ name, url, ready }) => [name, `${url}  ${ready}`]),
  ]
  const width = Math.max(...facts.map(([name]) => name?.length ?? 0))
  const lines = facts.map(([name = '', text]) => `${name.padEnd(width)}  ${text}`)
  return status === undefined ? lines : [...lines, '', ...partLines(status)]
}

function partLines({ ingest, processor }: GatewayStatus): readonly string[] {
  const parts = [
    { name: 'ingest', part: ingest, numbers: ingestNumbers(ingest.stats) },
    { name: 'processor', part: processor, numbers: processorNumbers(processor.stats) },
  ]
  return table(
    [
      { title: 'part', value: ({ name }) => name },
      { title: 'state', value: ({ part }) => (part.healthy ? 'healthy' : 'not healthy') },
      { title: 'since it started', value: ({ part, numbers }) => numbers ?? part.error ?? '' },
    ],
    parts,
  )
}

function ingestNumbers(stats: GatewayStatus['ingest']['stats']): string | undefined {
  return stats === null
    ? undefined
    : `received ${stats.TotalReceived}, accepted ${stats.TotalSent}, failed ${stats.TotalFailed}`
}

function processorNumbers(stats: GatewayStatus['processor']['stats']): string | undefined {
  if (stats === null) return undefined
  const { queue, pool } = stats
  return `processed ${pool.processed}, errors ${pool.errors}, ${pool.workers} workers; ${queue.size} of ${queue.capacity} in the queue`
}
