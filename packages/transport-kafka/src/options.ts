import type { ConnectionOptions } from 'node:tls'

/** How we prove who we are. */
export interface KafkaSasl {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly username: string
  /** Goes to the brokers only: it is in no message of this driver. */
  readonly password: string
}

export interface KafkaTransportOptions {
  /** Some brokers of the cluster, `host:port`; the others are found through them. */
  readonly brokers: readonly string[]
  /** TLS towards the brokers, with these certificates; default none. */
  readonly tls?: Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'passphrase' | 'servername' | 'rejectUnauthorized'>
  readonly sasl?: KafkaSasl
  /** How we are called in the brokers' logs; default `headrace`. */
  readonly clientId?: string
  /** Copies of each partition of topics that we make; default 1. From 2 on two of them confirm each message. */
  readonly replicationFactor?: number
  /** How long topics that we make keep messages, in ms; default the broker's own. -1 = for ever. */
  readonly retentionMs?: number
  /** After so many ms a publish ends with an unknown outcome; default 15 000. */
  readonly publishDeadlineMs?: number
  /** After so many ms without an answer a broker counts as away; default 10 000. */
  readonly requestTimeoutMs?: number
  /** Largest message as encoded, in bytes; default 921 600 (900 KiB), as in the log. */
  readonly messageLimitBytes?: number
}

export const kafkaDefaults = {
  clientId: 'headrace',
  replicationFactor: 1,
  publishDeadlineMs: 15_000,
  requestTimeoutMs: 10_000,
  messageLimitBytes: 921_600,
} as const satisfies Partial<KafkaTransportOptions>

export type KafkaSettings = KafkaTransportOptions & Required<Pick<KafkaTransportOptions, keyof typeof kafkaDefaults>>

/** The options with their defaults. Throws `RangeError` that names the option which is wrong, never its secret. */
export function kafkaSettings(options: KafkaTransportOptions): KafkaSettings {
  const settings = { ...kafkaDefaults, ...options }
  if (settings.brokers.length === 0) throw new RangeError('brokers: at least one is needed')
  for (const broker of settings.brokers) {
    if (!/^(\[[\da-f:.]+\]|[^\s:/@,]+):\d{1,5}$/i.test(broker))
      throw new RangeError(`brokers: '${broker}' is no host:port`)
  }
  for (const field of ['replicationFactor', 'publishDeadlineMs', 'requestTimeoutMs', 'messageLimitBytes'] as const) {
    const value = settings[field]
    if (!Number.isInteger(value) || value < 1) throw new RangeError(`${field}: ${value} must be a whole number above 0`)
  }
  const { retentionMs } = settings
  if (retentionMs !== undefined && (!Number.isInteger(retentionMs) || retentionMs < -1 || retentionMs === 0)) {
    throw new RangeError(`retentionMs: ${retentionMs} must be a whole number above 0, or -1`)
  }
  return settings
}
