import { gatewaySettings } from '@headrace/gateway/contract'
import { pipelineSettings } from '@headrace/pipeline/contract'
import {
  bytes,
  defineSettings,
  integer,
  list,
  logFormats,
  logLevels,
  oneOf,
  port,
  portOrOff,
  type SettingsOf,
  secret,
  text,
  url,
} from '@headrace/runtime'

/** The carriers that can be chosen. */
export const queueTypes = ['postgres', 'memory'] as const

/** Every variable of the platform, the modules' included. */
export const platformSettings = defineSettings({
  DATABASE_URL: url({
    schemes: ['postgres', 'postgresql'],
    secret: true,
    aliases: ['POSTGRES_DSN'],
    doc: 'A PostgreSQL server, 15 or newer; unset = an embedded one that is part of the process.',
  }),
  DATABASE_POOL_MAX: integer({
    min: 2,
    max: 200,
    doc: 'Most connections to the database at a time; unset = 12 to the embedded one, 6 to a server.',
  }),
  HEADRACE_DATA: text({ default: './.headrace', doc: 'Directory of the embedded database.' }),
  QUEUE_TYPE: oneOf(queueTypes, {
    default: 'postgres',
    doc: 'What carries messages: postgres (the database in use: survives any kill) or memory (survives nothing).',
  }),
  HOST: text({ default: '127.0.0.1', doc: 'Address to listen on.' }),
  API_PORT: port({ default: 8080, doc: 'The public port, where the gateway listens.' }),
  INGEST_PORT: portOrOff({
    default: 8081,
    doc: 'Where ingest listens for people who follow an older walkthrough; off closes it.',
  }),
  PROCESSOR_PORT: portOrOff({
    default: 8082,
    doc: 'Where the processor listens for people who follow an older walkthrough; off closes it.',
  }),
  PORT: port({ default: 0, doc: 'The port of a process without the gateway, for what has no port of its own.' }),
  INTERNAL_PORT: port({
    doc: 'Metrics, health and what processes ask of each other; unset = 8083 where all modules run, else any free one.',
  }),
  INTERNAL_HOST: text({ default: '127.0.0.1', doc: 'Address that the internal port listens on.' }),
  INTERNAL_TOKEN: secret({
    doc: 'What other processes show on internal routes; unset = they must be on this machine.',
  }),
  CORS_ORIGINS: list({
    doc: 'Origins whose pages may use the API; unset = any on this machine while listening on loopback, else none.',
  }),
  BODY_LIMIT_BYTES: bytes({
    default: 1_048_576,
    min: 1024,
    max: 64 * 1024 * 1024,
    doc: 'Largest body of a request, in bytes.',
  }),
  LOG_LEVEL: oneOf(logLevels, { default: 'info', doc: 'Least level of the lines that are logged.' }),
  LOG_FORMAT: oneOf(logFormats, { doc: 'How lines are logged; unset = text on a terminal, else json.' }),
  ...pipelineSettings,
  ...gatewaySettings,
})

export type PlatformSettings = SettingsOf<typeof platformSettings>

/** Variables that are read elsewhere, by the program that starts the platform. */
export const otherVariables = ['HEADRACE_ENV_FILE', 'HEADRACE_FAULTS'] as const
