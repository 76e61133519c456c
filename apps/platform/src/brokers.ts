import { readFileSync } from 'node:fs'
import { PlatformError } from '@headrace/runtime'
import type { Transport } from '@headrace/transport'
import { kafkaTransport } from '@headrace/transport-kafka'
import { natsTransport } from '@headrace/transport-nats'
import type { PlatformSettings } from './settings.ts'

/** The brokers that a process talks to: each is opened at its first use, and shared by all systems. */
export interface Brokers extends AsyncDisposable {
  /** Opens without waiting: a broker may be away. Throws `INVALID_SETTING`. */
  open(provider: string): Transport
}

/** Longest time in ms for one publish; the relay's own limit lies above it. */
const publishDeadlineMs = 8_000

export function openBrokers(settings: PlatformSettings): Brokers {
  const opened = new Map<string, Transport>()
  return {
    open(provider) {
      const known = opened.get(provider) ?? newBroker(provider, settings)
      opened.set(provider, known)
      return known
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...opened.values()].map((transport) => transport.stop()))
    },
  }
}

function newBroker(provider: string, settings: PlatformSettings): Transport {
  if (provider === 'kafka') return named('KAFKA_*', () => kafkaTransport(kafkaOptions(settings)))
  if (provider === 'nats') return named('NATS_*', () => natsTransport(natsOptions(settings)))
  throw new RangeError(`provider: '${provider}' is no broker`)
}

/** How to reach Kafka by these settings. */
export function kafkaOptions(settings: PlatformSettings): Parameters<typeof kafkaTransport>[0] {
  const { KAFKA_TLS_CA: ca, KAFKA_TLS_CERT: cert, KAFKA_TLS_KEY: key, KAFKA_SASL_USERNAME: username } = settings
  const isSecure = settings.KAFKA_TLS || [ca, cert, key].some((file) => file !== undefined)
  return {
    brokers: settings.KAFKA_BROKERS,
    replicationFactor: settings.KAFKA_REPLICATION_FACTOR,
    messageLimitBytes: settings.MESSAGE_LIMIT_BYTES,
    publishDeadlineMs,
    ...(settings.KAFKA_RETENTION_MS !== undefined && { retentionMs: settings.KAFKA_RETENTION_MS }),
    ...(isSecure && {
      tls: {
        ...(ca !== undefined && { ca: readFileSync(ca) }),
        ...(cert !== undefined && { cert: readFileSync(cert) }),
        ...(key !== undefined && { key: readFileSync(key) }),
      },
    }),
    ...(username !== undefined && {
      sasl: { mechanism: settings.KAFKA_SASL_MECHANISM, username, password: settings.KAFKA_SASL_PASSWORD ?? '' },
    }),
  }
}

function natsOptions(settings: PlatformSettings): Parameters<typeof natsTransport>[0] {
  const { NATS_TLS_CA: caFile, NATS_TLS_CERT: certFile, NATS_TLS_KEY: keyFile } = settings
  const { NATS_USER: user, NATS_PASSWORD: password, NATS_TOKEN: token, NATS_CREDENTIALS: credentialsFile } = settings
  return {
    servers: settings.NATS_URL,
    replicas: settings.NATS_REPLICAS,
    retentionMs: settings.LOG_RETENTION_MS,
    messageLimitBytes: settings.MESSAGE_LIMIT_BYTES,
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
    ...(token !== undefined && { token }),
    ...(credentialsFile !== undefined && { credentialsFile }),
    ...([caFile, certFile, keyFile].some((file) => file !== undefined) && {
      tls: {
        ...(caFile !== undefined && { caFile }),
        ...(certFile !== undefined && { certFile }),
        ...(keyFile !== undefined && { keyFile }),
      },
    }),
  }
}

function named<T>(variables: string, open: () => T): T {
  try {
    return open()
  } catch (cause) {
    const text = `${variables}: ${cause instanceof Error ? cause.message : String(cause)}`
    throw new PlatformError('INVALID_SETTING', text, { cause })
  }
}
