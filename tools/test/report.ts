import type { FileResult } from './run-file.ts'

export interface Totals {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export function total(results: readonly FileResult[]): Totals {
  const sum = (count: (result: FileResult) => number) => results.reduce((all, result) => all + count(result), 0)
  return {
    passed: sum((result) => result.passed),
    failed: sum((result) => result.failures.length),
    skipped: sum((result) => result.skips.length),
  }
}

/** The closing line, which CI reads. */
export function closingLine({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`
}

/** One line for a file that ended, with its failures in full below. */
export function fileReport(result: FileResult): string {
  const failed = result.failures.length
  const counts = [
    `${result.passed} passed`,
    ...(failed === 0 ? [] : [`${failed} failed`]),
    ...(result.skips.length === 0 ? [] : [`${result.skips.length} skipped`]),
  ]
  const line = `  ${failed === 0 ? '✓' : '✗'} ${result.path}  ${counts.join(', ')}  ${(result.tookMs / 1000).toFixed(1)} s${result.seed === undefined ? '' : `  seed ${result.seed}`}`
  return failed === 0 ? line : [line, ...result.failures.map(failureReport), printed(result.output)].join('\n')
}

/** What is worth repeating once everything has run: what was left out and why, and, last, what failed and how. */
export function summary(results: readonly FileResult[]): string {
  const failures = results.flatMap(({ path, failures }) =>
    failures.map(({ name, error }) => `  ✗ ${path} › ${name}\n${indent(beginning(error))}`),
  )
  const skips = results.flatMap(({ path, skips }) =>
    [...Map.groupBy(skips, ({ reason }) => reason)].map(
      ([reason, left]) => `  - ${path}: ${left.length === 1 ? left[0]?.name : `${left.length} tests`}: ${reason}`,
    ),
  )
  return [
    ...(skips.length === 0 ? [] : ['Skipped:', ...skips]),
    ...(failures.length === 0 ? [] : ['Failed:', ...failures]),
  ].join('\n')
}

/** Enough of an error to go by; the file's own report above has all of it. */
function beginning(error: string): string {
  const lines = error.split('\n')
  return [...lines.slice(0, 15).map((line) => line.slice(0, 300)), ...(lines.length > 15 ? ['…'] : [])].join('\n')
}

function failureReport({ name, error }: { name: string; error: string }): string {
  return `\n    ✗ ${name}\n${indent(error)}`
}

function printed(output: string): string {
  const text = output.trim()
  return text === '' ? '' : `\n    it printed:\n${indent(text)}\n`
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '      ')
}
