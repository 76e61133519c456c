import { inspect } from 'node:util'
import { sqlState } from '@headrace/database'
import { messageOf, PlatformError } from '@headrace/runtime'
import { CommandFailure, type ExitCode, exitCodes } from './exit-codes.ts'

export interface Failure {
  readonly exitCode: ExitCode
  /** For standard error: what failed, its code, and what to do. */
  readonly lines: readonly string[]
}

/** What the operator is told about an error other than wrong usage. Its stack only with `debug`. */
export function failureOf(error: unknown, options: { readonly debug: boolean }): Failure {
  const stack = options.debug ? inspect(error, { depth: 4 }).split('\n') : []
  return { exitCode: exitCodeOf(error), lines: [...told(error, options.debug), ...stack] }
}

function exitCodeOf(error: unknown): ExitCode {
  return rootOf(error)?.code === 'INVALID_SETTING' ? exitCodes.usage : exitCodes.failure
}

function told(error: unknown, debug: boolean): readonly string[] {
  if (error instanceof CommandFailure) return [`headrace: ${error.message}`]
  const root = rootOf(error)
  if (root !== undefined) return toldByPlatform(messageOf(error), root)
  const state = sqlState(error)
  if (state !== undefined) return [`headrace: ${messageOf(error)} (SQLSTATE ${state})`]
  return [`headrace: ${messageOf(error)}${debug ? '' : ' (LOG_LEVEL=debug shows where)'}`]
}

/** The outer message says where, the innermost code says what and what to do about it. */
function toldByPlatform(message: string, root: PlatformError): readonly string[] {
  const [first = '', ...others] = message.split('\n')
  // Several settings at once: each on a line of its own.
  const body =
    others.length === 0 ? [`headrace: ${first}`] : ['headrace:', ...[first, ...others].map((line) => `  ${line}`)]
  return [...body, `  ${root.code}: ${root.definition.operator}`]
}

/** The innermost error with a code: a module that did not start tells less than the port that was taken. */
function rootOf(error: unknown): PlatformError | undefined {
  if (!(error instanceof Error)) return undefined
  return rootOf(error.cause) ?? (error instanceof PlatformError ? error : undefined)
}
