import { PlatformError } from './errors.ts'
import type { Setting } from './setting-types.ts'

/** Settings by the name of their environment variable. */
export type SettingsSchema = Readonly<Record<string, Setting<unknown>>>

/** What a schema's variables hold, once read. */
export type SettingsOf<S extends SettingsSchema> = {
  readonly [Name in keyof S]: S[Name] extends Setting<infer T> ? T : never
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Names a schema and keeps its exact types. Throws `RangeError` when a name or alias occurs twice. */
export function defineSettings<const S extends SettingsSchema>(schema: S): S {
  const seen = new Set<string>()
  for (const name of settingNames(schema)) {
    if (seen.has(name)) throw new RangeError(`the setting ${name} is defined twice`)
    seen.add(name)
  }
  return schema
}

/** Every variable that a schema knows, aliases included. */
export function settingNames(schema: SettingsSchema): string[] {
  return Object.entries(schema).flatMap(([name, setting]) => [name, ...setting.aliases])
}

/**
 * Reads the environment by a schema. An empty variable counts as unset; blanks around a value are ignored.
 * Throws `INVALID_SETTING` that lists every problem: the variable, its value (never a secret's) and the valid values.
 */
export function readSettings<S extends SettingsSchema>(schema: S, env: Environment): SettingsOf<S> {
  const problems: string[] = []
  const values = Object.entries(schema).map(([name, setting]) => [name, readOne(name, setting, env, problems)])
  if (problems.length > 0) throw new PlatformError('INVALID_SETTING', problems.join('\n'))
  // Each entry was read by the setting of that name, so the object has the schema's shape.
  return Object.freeze(Object.fromEntries(values)) as SettingsOf<S>
}

function readOne(name: string, setting: Setting<unknown>, env: Environment, problems: string[]): unknown {
  const source = [name, ...setting.aliases].find((candidate) => (env[candidate] ?? '').trim() !== '')
  if (source === undefined) {
    if (setting.required) problems.push(`${name} is not set: expected ${setting.expects}`)
    return setting.fallback
  }
  const written = (env[source] ?? '').trim()
  const value = setting.parse(written)
  if (value === undefined) problems.push(`${source}${shown(setting, written)}: expected ${setting.expects}`)
  return value
}

function shown(setting: Setting<unknown>, written: string): string {
  return setting.secret ? ' is not valid (its value is a secret)' : ` is '${maskCredentials(written).slice(0, 200)}'`
}

/** Hides the password of every URL in a text. */
export function maskCredentials(text: string): string {
  return text.replace(/(:\/\/[^\s/:@"]*:)[^\s/@"]+@/g, '$1***@')
}

/** The values of a schema's secrets, so that a logger can hide them. */
export function secretValues<S extends SettingsSchema>(schema: S, settings: SettingsOf<S>): string[] {
  return Object.entries(schema)
    .filter(([, setting]) => setting.secret)
    .map(([name]) => settings[name])
    .filter((value) => typeof value === 'string')
}
