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
  const line = `  ${failed === 0 ? '✓' : '✗'} ${result.path}  ${counts.join(', ')}  ${(result.tookMs / 1000).toFixed(1)} s`
  return failed === 0 ? line : [line, ...result.failures.map(failureReport), printed(result.output)].join('\n')
}

/** What is worth repeating once everything has run: what failed by name, and what was left out and why. */
export function summary(results: readonly FileResult[]): string {
  const failures = results.flatMap(({ path, failures }) => failures.map(({ name }) => `  ✗ ${path} › ${name}`))
  const skips = results.flatMap(({ path, skips }) =>
    skips.map(({ name, reason }) => `  - ${path} › ${name}: ${reason}`),
  )
  return [
    ...(failures.length === 0 ? [] : ['Failed:', ...failures]),
    ...(skips.length === 0 ? [] : ['Skipped:', ...skips]),
  ].join('\n')
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
