import { isIP } from 'node:net'
import { authSettings } from '@headrace/auth/contract'
import { calculatorSettings } from '@headrace/calculator/contract'
import { gatewaySettings } from '@headrace/gateway/contract'
import { orderIntakeSettings } from '@headrace/order-intake/contract'
import { orderLookupSettings } from '@headrace/order-lookup/contract'
import { ordersSettings } from '@headrace/orders/contract'
import { paymentsSettings } from '@headrace/payments/contract'
import { pipelineSettings } from '@headrace/pipeline/contract'
import {
  boolean,
  bytes,
  defineSettings,
  integer,
  list,
  logFormats,
  logLevels,
  oneOf,
  port,
  portOrOff,
  type Setting,
  type SettingsOf,
  secret,
  text,
  url,
} from '@headrace/runtime'
import { brokerSettings } from './broker-settings.ts'

function database(doc: string) {
  return url({ schemes: ['postgres', 'postgresql'], secret: true, doc })
}

const namedNetworks = ['loopback', 'linklocal', 'uniquelocal']

/** A comma list of addresses, networks (10.0.0.0/8), or their names. */
function networks(options: { readonly doc: string }): Setting<readonly string[] | undefined> {
  const texts = list(options)
  return {
    ...texts,
    expects: `a comma list of addresses, networks (10.0.0.0/8) or ${namedNetworks.join(', ')}, none twice`,
    parse(written) {
      const found = texts.parse(written)
      return found?.every(isNetwork) ? found : undefined
    },
  }
}

function isNetwork(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  const isPrefix = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
  return namedNetworks.includes(text) || (version !== 0 && isPrefix && more.length === 0)
}

/** A comma list of origins as browsers send them, or `*`. */
function origins(options: { readonly doc: string }): Setting<readonly string[] | undefined> {
  const texts = list(options)
  return {
    ...texts,
    expects: 'a comma list of origins (https://app.example, without a path) or *, none twice',
    parse(written) {
      const found = texts.parse(written)
      return found?.every(isOrigin) ? found : undefined
    },
  }
}

// An origin that browsers never send, such as one with a slash at its end, would let nobody in and say nothing.
function isOrigin(text: string): boolean {
  return text === '*' || (URL.canParse(text) && new URL(text).origin === text)
}

/** Every variable of the platform, the modules' included. */
export const platformSettings = defineSettings({
  DATABASE_URL: url({
    schemes: ['postgres', 'postgresql'],
    secret: true,
    aliases: ['POSTGRES_DSN'],
    doc: 'A PostgreSQL server, 15 or newer; unset = an embedded one that is part of the process.',
  }),
  ORDERS_DATABASE_URL: database("A server of the orders' own; unset = the platform's database."),
  PAYMENTS_DATABASE_URL: database("A server of the payments' own; unset = the platform's database."),
  API_POSTGRES_DSN: database("A server of the order intake's API; unset = the platform's database."),
  WORKER_POSTGRES_DSN: database("A server of the order intake's worker; unset = the platform's database."),
  DATABASE_POOL_MAX: integer({
    min: 2,
    max: 200,
    doc: 'Most connections to the database at a time; unset = 12 to the embedded one, 6 to a server.',
  }),
  HEADRACE_DATA: text({ default: './.headrace', doc: 'Directory of the embedded database.' }),
  ...brokerSettings,
  REDIS_URL: url({
    schemes: ['redis', 'rediss'],
    secret: true,
    doc: 'Redis for values that expire and for hints between replicas; unset = the database in use.',
  }),
  REDIS_ADDR: text({ doc: 'The same as host:port, with REDIS_USER, REDIS_PASSWORD and REDIS_DB.' }),
  REDIS_USER: text({ doc: 'User at REDIS_ADDR.' }),
  REDIS_PASSWORD: secret({ doc: 'Password at REDIS_ADDR.' }),
  REDIS_DB: integer({ default: 0, max: 1_000, doc: 'Number of the database at REDIS_ADDR.' }),
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
  CALCULATOR_PORT: portOrOff({
    default: 8090,
    doc: 'Where the calculator and accounts listen for people who follow an older walkthrough; off closes it.',
  }),
  ORDER_LOOKUP_PORT: portOrOff({
    doc: 'Where order lookup listens in a process of its own; unset = PORT, and beside the gateway INGEST_PORT.',
  }),
  CONSOLE_PORT: portOrOff({ default: 3000, doc: 'Where the console listens besides the public port; off closes it.' }),
  PORT: port({ default: 0, doc: 'The port of a process without the gateway, for what has no port of its own.' }),
  INTERNAL_PORT: port({
    doc: 'Metrics, health and what processes ask of each other; unset = 8083 where the orchestrator or all modules run, else any free one.',
  }),
  INTERNAL_HOST: text({ default: '127.0.0.1', doc: 'Address that the internal port listens on.' }),
  INTERNAL_TOKEN: secret({
    doc: 'What other processes show on internal routes; unset = they must be on this machine.',
  }),
  AUTH_REQUIRED: boolean({
    doc: 'Whether everybody needs an access token for what is a person’s; unset = true unless HOST is this machine only.',
  }),
  TRUSTED_PROXIES: networks({
    doc: 'Addresses and networks whose X-Forwarded-For is believed; unset = none, or loopback in a process without the gateway.',
  }),
  CORS_ORIGINS: origins({
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
  ...ordersSettings,
  ...paymentsSettings,
  ...orderLookupSettings,
  ...orderIntakeSettings,
  ...authSettings,
  ...calculatorSettings,
  ...gatewaySettings,
})

export type PlatformSettings = SettingsOf<typeof platformSettings>

/** Variables that are read elsewhere, by the program that starts the platform. */
export const otherVariables = ['HEADRACE_ENV_FILE', 'HEADRACE_FAULTS'] as const
