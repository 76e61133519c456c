import type { Command } from 'commander'
import { examine } from '../doctor/examine.ts'
import type { Finding } from '../doctor/finding.ts'
import { Ended, exitCodes } from '../exit-codes.ts'
import { newCommand, withExamples } from '../program.ts'
import { environmentOf } from '../settings.ts'
import type { Terminal } from '../terminal.ts'

const marks = { ok: 'ok    ', note: 'note  ', broken: 'BROKEN' } as const

/** `headrace doctor`: what is configured, reachable and missing, and how to fix it. */
export function doctorCommand(terminal: Terminal): Command {
  const command = newCommand('doctor')
    .option('--json', 'print a JSON array')
    .addHelpText('after', '\nIt changes nothing. Exit code 1 when something would keep Headrace from starting.')
    .action(async (options: { readonly json?: true }) => {
      const findings = await examine(environmentOf(terminal, command), (line) => terminal.err(line))
      if (options.json === true) terminal.out(JSON.stringify(findings, null, 2))
      else for (const line of forPeople(findings)) terminal.out(line)
      if (findings.some(({ state }) => state === 'broken')) throw new Ended(exitCodes.failure)
    })
  return withExamples(command, ['headrace doctor', 'headrace --env-file production.env doctor --json'])
}

function forPeople(findings: readonly Finding[]): readonly string[] {
  const width = Math.max(...findings.map(({ about }) => about.length))
  const margin = ' '.repeat(marks.ok.length + width + 4)
  const lines = findings.flatMap(({ about, state, text, fix }) => [
    `${marks[state]}  ${about.padEnd(width)}  ${text}`,
    ...(fix === undefined ? [] : [`${margin}→ ${fix}`]),
  ])
  const count = findings.filter(({ state }) => state === 'broken').length
  const verdict = count === 0 ? 'Headrace can start.' : `${count} ${count === 1 ? 'thing is' : 'things are'} broken.`
  return [...lines, '', verdict]
}
