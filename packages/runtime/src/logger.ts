import { pino, stdSerializers } from 'pino'
import { textLine } from './log-text.ts'
import { maskCredentials } from './settings.ts'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

export const logFormats = ['json', 'text'] as const
export type LogFormat = (typeof logFormats)[number]

/** Facts beside the message. An error goes under `error`: its stack and its causes are written out. */
export type LogFields = Readonly<Record<string, unknown>>

/** Writes one line per call. */
export interface Logger {
  trace(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  fatal(message: string, fields?: LogFields): void
  /** A logger whose every line carries these fields too. */
  child(fields: LogFields): Logger
}

export interface LogDestination {
  write(line: string): unknown
}

export interface LoggerOptions {
  /** Least level that is written; `info` unless given. */
  readonly level?: LogLevel
  /** `text` for people; unless given, `text` when standard output is a terminal and `json` otherwise. */
  readonly format?: LogFormat
  /** Values that are hidden wherever they occur; shorter ones than 6 characters are left out. */
  readonly secrets?: readonly string[]
  /** Where lines go; standard output unless given. */
  readonly destination?: LogDestination
}

const secretFields = ['password', 'secret', 'token', 'authorization', 'cookie', 'access_token', 'refresh_token']
const censor = '***'

/** A logger that hides secrets: fields with a secret's name, passwords in URLs, and the given values. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const format = options.format ?? (process.stdout.isTTY ? 'text' : 'json')
  const hide = hider(options.secrets ?? [])
  const destination = options.destination ?? pino.destination({ fd: 1, sync: true })
  const write = format === 'text' ? (line: string) => textLine(hide(line)) : hide
  return wrap(
    pino(
      {
        level: options.level ?? 'info',
        base: null,
        timestamp: () => `,"time":"${new Date().toISOString()}"`,
        formatters: { level: (label) => ({ level: label }) },
        serializers: { error: stdSerializers.errWithCause, err: stdSerializers.errWithCause },
        redact: { paths: secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor },
        hooks: { streamWrite: write },
      },
      { write: (line: string) => destination.write(line) },
    ),
  )
}

/** A logger that writes nothing. */
export const nullLogger: Logger = {
  trace() {},
  debug() {},
  info() {},
  warn() {},
  error() {},
  fatal() {},
  child: () => nullLogger,
}

function wrap(inner: pino.Logger): Logger {
  const at = (level: pino.Level) => (message: string, fields?: LogFields) =>
    fields === undefined ? inner[level](message) : inner[level](fields, message)
  return {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
    child: (fields) => wrap(inner.child(fields)),
  }
}

function hider(secrets: readonly string[]): (line: string) => string {
  // Lines are JSON, so a secret is looked for as JSON writes it.
  const written = secrets.filter((value) => value.length >= 6).map((value) => JSON.stringify(value).slice(1, -1))
  return (line) => {
    const masked = line.includes('://') ? maskCredentials(line) : line
    return written.reduce((text, value) => text.replaceAll(value, censor), masked)
  }
}
