import { hasCode, maskCredentials, messageOf, readSettings, type SettingsSchema } from '@headrace/runtime'
import type { LoadedEnvironment } from '../environment.ts'
import type { Finding } from './finding.ts'

/** What is configured, from where, and what is wrong with it. */
export function examineSettings(schema: SettingsSchema, loaded: LoadedEnvironment): readonly Finding[] {
  return [fileFinding(loaded), configured(schema, loaded), ...malformed(schema, loaded)]
}

function fileFinding({ file }: LoadedEnvironment): Finding {
  const text =
    file === undefined ? 'none: there is no ./.env, and neither --env-file nor HEADRACE_ENV_FILE names one' : file
  return { about: 'env file', state: 'ok', text }
}

function configured(schema: SettingsSchema, { env, real, file }: LoadedEnvironment): Finding {
  const set = Object.entries(schema).flatMap(([name, setting]) =>
    [name, ...setting.aliases]
      .filter((candidate) => (env[candidate] ?? '').trim() !== '')
      .map((candidate) => {
        const value = setting.secret ? '***' : maskCredentials(env[candidate] ?? '')
        return `${candidate}=${value} (${real[candidate] === undefined ? file : 'environment'})`
      }),
  )
  return { about: 'settings', state: 'ok', text: set.length === 0 ? 'all at their defaults' : set.join(', ') }
}

function malformed(schema: SettingsSchema, { env }: LoadedEnvironment): readonly Finding[] {
  try {
    readSettings(schema, env)
    return []
  } catch (error) {
    if (!hasCode(error, 'INVALID_SETTING')) throw error
    return messageOf(error)
      .split('\n')
      .map((text) => ({ about: 'settings', state: 'broken', text, fix: 'correct it or unset it' }))
  }
}
