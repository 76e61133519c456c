import { existsSync } from 'node:fs'
import { type Environment, withEnvFile } from '@headrace/runtime'

export interface LoadedEnvironment {
  readonly env: Environment
  /** The file that was read below the real environment; undefined when there is none. */
  readonly file: string | undefined
  /** What is really set, without the file: to tell where a value comes from. */
  readonly real: Environment
}

const defaultFile = '.env'

/**
 * The environment with one file below it: the one that `--env-file` names, else the one that HEADRACE_ENV_FILE names,
 * else ./.env where there is one. Throws `INVALID_SETTING` for a named file that is missing or malformed.
 */
export function loadEnvironment(real: Environment, named: string | undefined): LoadedEnvironment {
  const path = named ?? (real['HEADRACE_ENV_FILE'] || undefined)
  if (path !== undefined) return { env: withEnvFile(real, path, { required: true }), file: path, real }
  const file = existsSync(defaultFile) ? defaultFile : undefined
  return { env: withEnvFile(real, defaultFile), file, real }
}
