import { readFileSync } from 'node:fs'
import { hasSystemCode, messageOf, PlatformError } from './errors.ts'
import type { Environment } from './settings.ts'

/**
 * Reads the text of an env file: `NAME=value` lines, `#` comments, single or double quotes, blanks around `=`,
 * an `export ` prefix, Windows line ends, a byte order mark. In double quotes `\n`, `\"` and `\\` are escapes.
 * The last of several lines with one name counts. Throws `INVALID_SETTING` with the line's number; the line itself,
 * which may hold a secret, is not shown.
 */
export function parseEnvFile(text: string, fileName: string): Record<string, string> {
  const values = Object.create(null) as Record<string, string>
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    if (/^\s*(#.*)?$/.test(line)) continue
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(.*)$/.exec(line)
    const value = match === null ? undefined : parseValue(match[2] ?? '')
    if (match === null || value === undefined) {
      throw new PlatformError(
        'INVALID_SETTING',
        `${fileName}, line ${index + 1}: expected NAME=value, with quotes closed`,
      )
    }
    values[match[1] ?? ''] = value
  }
  return { ...values }
}

function parseValue(written: string): string | undefined {
  const quote = written[0]
  if (quote !== '"' && quote !== "'") return written.replace(/(^|\s+)#.*$/, '').trim()
  const pattern = quote === '"' ? /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/ : /^'([^']*)'\s*(?:#.*)?$/
  const inner = pattern.exec(written)?.[1]
  return quote === '"' ? inner?.replace(/\\(.)/g, (_, escaped: string) => unescaped(escaped)) : inner
}

function unescaped(character: string): string {
  const controls: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', $: '$' }
  return controls[character] ?? `\\${character}`
}

export interface EnvFileOptions {
  /** A missing file is an error: somebody named it. */
  readonly required?: boolean
}

/** The environment with the file's variables below it: what is really set wins. Throws `INVALID_SETTING`. */
export function withEnvFile(env: Environment, path: string, options: EnvFileOptions = {}): Environment {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const isMissing = hasSystemCode(error, 'ENOENT')
    if (isMissing && options.required !== true) return env
    throw new PlatformError('INVALID_SETTING', `the env file '${path}' cannot be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
  return { ...parseEnvFile(text, path), ...env }
}
