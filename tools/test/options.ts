import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'

export const kinds = ['unit', 'it', 'system'] as const
export type Kind = (typeof kinds)[number]

export interface TestOptions {
  /** Folder whose packages, modules, apps and tests are searched. */
  readonly root: string
  /** Parts of paths; a file is run when its path holds one of them. Empty: all files. */
  readonly filters: readonly string[]
  readonly only: readonly Kind[]
  /** Passed on as HEADRACE_TEST_SEED, from which tests with random input draw; undefined: each file draws its own. */
  readonly seed: number | undefined
  /** Everything on every carrier, in full size, instead of what fits into a run that somebody waits for. */
  readonly whole: boolean
  /** How long one file may take before it counts as hung, in ms; undefined: by kind. */
  readonly fileTimeoutMs: number | undefined
  /** Files side by side. */
  readonly concurrency: number
  /** On CI nothing that can be installed may be missing. */
  readonly ci: boolean
}

export const usage = `usage: npm test -- [path …] [--only unit|it|system] [--whole] [--seed N] [--timeout SECONDS] [--concurrency N]
  path           run only files whose path holds this text
  --only         unit: *.test.ts · it: *.it.test.ts (database, sockets, processes) · system: tests/system and tests/chaos
  --whole        every promise on every carrier in full size, each file with a seed of its own, five times as much time
  --seed         seed of the tests with random input (also HEADRACE_TEST_SEED); printed at start and passed on
  --timeout      seconds that one file may take (unit 60, it 480, system 600)
  --concurrency  files side by side (2)`

export class UsageError extends Error {}

export function readOptions(args: readonly string[], env: NodeJS.ProcessEnv, root: string): TestOptions {
  const { values, positionals } = parse(args)
  const seconds = values.timeout === undefined ? undefined : wholeNumber('--timeout', values.timeout, 1)
  return {
    root: values.root ?? root,
    filters: positionals,
    only: values.only === undefined ? kinds : values.only.split(',').map(kindNamed),
    seed: seedOf(values.seed ?? env.HEADRACE_TEST_SEED, values.whole === true),
    whole: values.whole === true,
    fileTimeoutMs: seconds === undefined ? undefined : seconds * 1000,
    concurrency: wholeNumber('--concurrency', values.concurrency ?? '2', 1),
    ci: env.CI !== undefined && env.CI !== '' && env.CI !== 'false',
  }
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { whole: { type: 'boolean' }, only: text, seed: text, timeout: text, concurrency: text, root: text },
    })
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause))
  }
}

function seedOf(given: string | undefined, isWhole: boolean): number | undefined {
  if (given !== undefined) return wholeNumber('--seed', given, 0)
  return isWhole ? undefined : newSeed()
}

export function newSeed(): number {
  return randomInt(2 ** 31)
}

function kindNamed(name: string): Kind {
  const kind = kinds.find((known) => known === name)
  if (kind === undefined) throw new UsageError(`--only: '${name}' is none of ${kinds.join(', ')}`)
  return kind
}

function wholeNumber(name: string, text: string, least: number): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < least)
    throw new UsageError(`${name}: '${text}' is no whole number from ${least} on`)
  return number
}
