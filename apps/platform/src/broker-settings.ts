import { boolean, defineSettings, integer, list, oneOf, secret, text } from '@headrace/runtime'

/** Everything that can carry messages by itself. */
export const providerNames = ['postgres', 'memory', 'nats', 'kafka'] as const

export type ProviderName = (typeof providerNames)[number]

/** What can be chosen as the queue. */
export const queueTypes = [...providerNames, 'composite'] as const

export type QueueType = (typeof queueTypes)[number]

function systemQueue(system: string) {
  return oneOf(queueTypes, { doc: `QUEUE_TYPE of ${system}; unset = the common one.` })
}

/** What carries messages, and how brokers are reached. */
export const brokerSettings = defineSettings({
  QUEUE_TYPE: oneOf(queueTypes, {
    default: 'postgres',
    doc: 'What carries messages: postgres (the database in use), nats, kafka, composite (several of them), or memory (survives nothing; only the pipeline).',
  }),
  CALCULATOR_QUEUE_TYPE: systemQueue('the calculator and accounts'),
  SHOP_QUEUE_TYPE: systemQueue('orders and payments'),
  ORDER_LOOKUP_QUEUE_TYPE: systemQueue('order lookup'),
  ORDER_INTAKE_QUEUE_TYPE: systemQueue('order intake'),
  COMPOSITE_PROVIDERS: list({
    of: providerNames,
    default: ['nats', 'kafka'],
    doc: 'What QUEUE_TYPE=composite writes to and reads from: postgres, memory, nats, kafka.',
  }),
  COMPOSITE_STRATEGY: oneOf(['fail-fast', 'best-effort'], {
    default: 'fail-fast',
    doc: 'When a composite has a message: fail-fast = once all providers have it; best-effort = once the log has it, and providers that were away are brought up to date.',
  }),
  KAFKA_BROKERS: list({ default: ['localhost:9092'], doc: 'Some brokers of the Kafka cluster, host:port.' }),
  KAFKA_REPLICATION_FACTOR: integer({
    default: 1,
    min: 1,
    max: 32_767,
    doc: 'Copies of each partition of topics that are made here.',
  }),
  KAFKA_RETENTION_MS: integer({
    min: 60_000,
    doc: 'How long topics that are made here keep messages, in ms; unset = as the broker says.',
  }),
  KAFKA_TLS: boolean({ default: false, doc: 'TLS towards Kafka; certificates below imply it.' }),
  KAFKA_TLS_CA: text({ doc: 'File with the certificates (PEM) that sign the brokers’.' }),
  KAFKA_TLS_CERT: text({ doc: 'File with our certificate (PEM).' }),
  KAFKA_TLS_KEY: text({ doc: 'File with the key of our certificate (PEM).' }),
  KAFKA_SASL_MECHANISM: oneOf(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'], {
    default: 'SCRAM-SHA-512',
    doc: 'How KAFKA_SASL_USERNAME logs in.',
  }),
  KAFKA_SASL_USERNAME: text({ doc: 'User at Kafka; unset = no login.' }),
  KAFKA_SASL_PASSWORD: secret({ doc: 'Password at Kafka.' }),
  NATS_URL: list({
    default: ['nats://localhost:4222'],
    secret: true,
    doc: 'Servers of NATS (JetStream): nats:// or tls:// addresses, a comma list.',
  }),
  NATS_USER: text({ doc: 'User at NATS.' }),
  NATS_PASSWORD: secret({ doc: 'Password at NATS.' }),
  NATS_TOKEN: secret({ doc: 'Token at NATS.' }),
  NATS_CREDENTIALS: text({ doc: 'File with NATS credentials (.creds).' }),
  NATS_REPLICAS: integer({ default: 1, min: 1, max: 5, doc: 'Copies of each stream that is made here.' }),
  NATS_TLS_CA: text({ doc: 'File with the certificates (PEM) that sign the servers’; with it TLS is used.' }),
  NATS_TLS_CERT: text({ doc: 'File with our certificate (PEM).' }),
  NATS_TLS_KEY: text({ doc: 'File with the key of our certificate (PEM).' }),
})
