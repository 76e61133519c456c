import { styleText } from 'node:util'
import { type ReadyReport, survives } from './ready-report.ts'
import { version } from './version.ts'

/** The lines that `run` prints for people once it is ready. */
export function banner(report: ReadyReport): readonly string[] {
  const facts: readonly Fact[] = [
    ...report.addresses.map(({ name, url }) => [name, noted(name, url)] as const),
    undefined,
    ['runs', report.roles.join(', ')],
    ['data', report.data],
    ['durability', survives(report.durability)],
    undefined,
    ...tryOut(report),
    ['stop', 'Ctrl-C: what is in flight is finished; twice leaves at once'],
  ]
  const seconds = (report.startedInMs / 1000).toFixed(1)
  return ['', `  ${bold(`Headrace ${version}`)} is ready (${seconds} s)`, '', ...aligned(facts), '']
}

/** A name and what is to be said about it; undefined is an empty line. */
type Fact = readonly [name: string, value: string] | undefined

function aligned(facts: readonly Fact[]): readonly string[] {
  const width = Math.max(...facts.map((fact) => fact?.[0].length ?? 0))
  return facts.map((fact) => (fact === undefined ? '' : `  ${bold(fact[0].padEnd(width))}  ${fact[1]}`))
}

const notes: Readonly<Record<string, string>> = {
  gateway: 'the API; its reference is at /docs',
  internal: 'for this machine: /metrics, /enqueue, /health, /ready',
}

function noted(name: string, url: string): string {
  const note = notes[name]
  return note === undefined ? url : `${url}  ${styleText('dim', note)}`
}

/** A call that works as it is; none where nothing accepts messages. */
function tryOut({ addresses, roles }: ReadyReport): readonly Fact[] {
  const at = (wanted: string) => addresses.find(({ name }) => name === wanted)?.url
  const paths = [
    ['gateway', '/api/v1/ingest'],
    ['ingest', '/ingest'],
    ...(roles.includes('pipeline:ingest') ? [['public', '/ingest'] as const] : []),
  ] as const
  const place = paths.find(([name]) => at(name) !== undefined)
  if (place === undefined) return []
  const [name, path] = place
  return [['try', `curl ${at(name)}${path} -H 'content-type: application/json' -d '{"source":"me","data":"hello"}'`]]
}

function bold(text: string): string {
  return styleText('bold', text)
}
