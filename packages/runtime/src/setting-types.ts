/** One environment variable as data: what it means, what it may hold, and how its text is read. */
export interface Setting<T> {
  /** What it is for and its unit, in one or two sentences; shown in `.env.example`. */
  readonly doc: string
  /** The valid values, as the end of the sentence "expected …". */
  readonly expects: string
  /** The default as one would write it in the environment; undefined when there is none. */
  readonly defaultText: string | undefined
  /** The value when the variable is unset or empty. */
  readonly fallback: T
  readonly required: boolean
  /** A secret's value is never printed. */
  readonly secret: boolean
  /** Other names under which the variable is known; the first that is set counts. */
  readonly aliases: readonly string[]
  /** The value that a non-empty text stands for, or undefined when it is not a valid one. */
  parse(text: string): T | undefined
}

export interface SettingOptions<T> {
  readonly doc: string
  /** The value when unset. Without it an unset variable reads as undefined. */
  readonly default?: T
  /** An unset variable stops the start. */
  readonly required?: true
  /** The value is never printed, not even in an error. */
  readonly secret?: true
  readonly aliases?: readonly string[]
}

/** `T` where a value is certain, else `T | undefined`. */
export type ValueOf<T, Options> = Options extends { readonly default: T } | { readonly required: true }
  ? T
  : T | undefined

interface Reading<T> {
  readonly expects: string
  parse(text: string): T | undefined
  /** How a value is written; `String` unless given. */
  write?(value: T): string
}

/** Any text. */
export function text<const O extends SettingOptions<string>>(options: O): Setting<ValueOf<string, O>> {
  return setting<string, O>(options, { expects: 'a text', parse: (value) => value })
}

/** A text that is never printed. */
export function secret<const O extends SettingOptions<string>>(options: O): Setting<ValueOf<string, O>> {
  return setting<string, O>({ ...options, secret: true }, { expects: 'a secret', parse: (value) => value })
}

export interface IntegerOptions extends SettingOptions<number> {
  /** Least valid value; 0 unless given. */
  readonly min?: number
  /** Greatest valid value; 2^53 − 1 unless given. */
  readonly max?: number
}

/** A whole number from `min` to `max`. */
export function integer<const O extends IntegerOptions>(options: O): Setting<ValueOf<number, O>> {
  const min = options.min ?? 0
  const max = options.max ?? Number.MAX_SAFE_INTEGER
  const expects =
    options.max === undefined ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`
  return setting<number, O>(options, { expects, parse: (value) => inRange(wholeNumber(value), min, max) })
}

/** A TCP port; 0 means any free one. */
export function port<const O extends SettingOptions<number>>(options: O): Setting<ValueOf<number, O>> {
  return setting<number, O>(options, { expects: 'a port from 0 to 65535 (0 = any free one)', parse: portNumber })
}

/** A TCP port, or `off` for none; 0 means any free one. */
export function portOrOff<const O extends SettingOptions<number | 'off'>>(
  options: O,
): Setting<ValueOf<number | 'off', O>> {
  return setting<number | 'off', O>(options, {
    expects: 'a port from 0 to 65535 (0 = any free one) or off',
    parse: (value) => (value === 'off' ? value : portNumber(value)),
  })
}

const unitMs: Readonly<Record<string, number>> = { '': 1, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A duration in milliseconds, written as a whole number of them or with a unit: `500`, `30s`, `15m`, `24h`. */
export function durationMs<const O extends IntegerOptions>(options: O): Setting<ValueOf<number, O>> {
  const parse = scaled(/^(\d+) *(ms|s|m|h|d|)$/, unitMs, options)
  return setting<number, O>(options, {
    expects: `milliseconds, or a number with ms, s, m, h or d${range(options)}`,
    parse,
  })
}

const unitBytes: Readonly<Record<string, number>> = { '': 1, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }

/** A size in bytes, written as a whole number of them or with a unit: `921600`, `900KiB`, `1MiB`. */
export function bytes<const O extends IntegerOptions>(options: O): Setting<ValueOf<number, O>> {
  const parse = scaled(/^(\d+) *(B|KiB|MiB|GiB|)$/, unitBytes, options)
  return setting<number, O>(options, { expects: `bytes, or a number with KiB, MiB or GiB${range(options)}`, parse })
}

/** `true` or `false`, also `1` or `0`. */
export function boolean<const O extends SettingOptions<boolean>>(options: O): Setting<ValueOf<boolean, O>> {
  const values: Readonly<Record<string, boolean>> = { true: true, 1: true, false: false, 0: false }
  return setting<boolean, O>(options, { expects: 'true or false', parse: (value) => own(values, value.toLowerCase()) })
}

/** One of the listed words. */
export function oneOf<const V extends string, const O extends SettingOptions<V>>(
  values: readonly V[],
  options: O,
): Setting<ValueOf<V, O>> {
  return setting<V, O>(options, {
    expects: `one of ${values.join(', ')}`,
    parse: (value) => values.find((candidate) => candidate === value),
  })
}

export interface ListOptions extends SettingOptions<readonly string[]> {
  /** The valid entries; any non-empty text unless given. */
  readonly of?: readonly string[]
}

/** A comma list of at least one entry, none of them twice; blanks around entries do not count. */
export function list<const O extends ListOptions>(options: O): Setting<ValueOf<readonly string[], O>> {
  const kind = options.of === undefined ? 'a comma list' : `a comma list of ${options.of.join(', ')}`
  return setting<readonly string[], O>(options, {
    expects: `${kind}, none twice`,
    parse: (value) => entries(value, options.of),
    write: (value) => value.join(','),
  })
}

export interface UrlOptions extends SettingOptions<string> {
  /** The valid schemes, without the colon; `http` and `https` unless given. */
  readonly schemes?: readonly string[]
}

/** An absolute URL, kept as it was written. */
export function url<const O extends UrlOptions>(options: O): Setting<ValueOf<string, O>> {
  const schemes = options.schemes ?? ['http', 'https']
  const isValid = (value: string) => schemes.some((scheme) => value.startsWith(`${scheme}://`)) && URL.canParse(value)
  return setting<string, O>(options, {
    expects: `a URL (${schemes.map((scheme) => `${scheme}://…`).join(' or ')})`,
    parse: (value) => (isValid(value) ? value : undefined),
  })
}

function setting<T, O extends SettingOptions<T>>(options: O, reading: Reading<T>): Setting<ValueOf<T, O>> {
  const write = reading.write ?? String
  const made: Setting<T | undefined> = {
    doc: options.doc,
    expects: reading.expects,
    defaultText: options.default === undefined ? undefined : write(options.default),
    fallback: options.default,
    required: options.required === true,
    secret: options.secret === true,
    aliases: options.aliases ?? [],
    parse: reading.parse,
  }
  // The options decide whether undefined can occur; TypeScript cannot follow that through the conditional type.
  return made as Setting<ValueOf<T, O>>
}

function wholeNumber(value: string): number | undefined {
  return /^-?\d{1,16}$/.test(value) ? Number(value) : undefined
}

function inRange(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && Number.isSafeInteger(value) && value >= min && value <= max ? value : undefined
}

function portNumber(value: string): number | undefined {
  return inRange(wholeNumber(value), 0, 65_535)
}

function scaled(pattern: RegExp, units: Readonly<Record<string, number>>, options: IntegerOptions) {
  return (value: string): number | undefined => {
    const match = pattern.exec(value)
    const unit = own(units, match?.[2] ?? '?')
    if (match === null || unit === undefined) return undefined
    return inRange(Number(match[1]) * unit, options.min ?? 0, options.max ?? Number.MAX_SAFE_INTEGER)
  }
}

function range(options: IntegerOptions): string {
  if (options.max !== undefined) return `, from ${options.min ?? 0} to ${options.max}`
  return options.min === undefined ? '' : `, at least ${options.min}`
}

function entries(value: string, valid: readonly string[] | undefined): readonly string[] | undefined {
  const found = value
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  const isKnown = (entry: string) => valid === undefined || valid.includes(entry)
  return found.length > 0 && new Set(found).size === found.length && found.every(isKnown) ? found : undefined
}

function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}
