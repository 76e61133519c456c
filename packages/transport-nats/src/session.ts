import { readFileSync } from 'node:fs'
import { messageOf, PlatformError } from '@headrace/runtime'
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import { connect, credsAuthenticator, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node'
import type { NatsSettings } from './options.ts'

/**
 * One connection, and what was learned through it. When it ends, everything that hangs on it ends with the outcome that
 * it then has, and the next use opens another: nothing that was written to a lost connection is sent later.
 */
export interface Session {
  readonly connection: NatsConnection
  readonly manager: JetStreamManager
  /** Aborts when the connection has ended. */
  readonly lost: AbortSignal
  /** Topics whose stream was seen or made through this connection. */
  readonly declared: Map<string, Promise<unknown>>
  /** When a message that was published through it was last acknowledged. */
  readonly acknowledged: { at: number }
  /** When the stream of a topic was made, as last asked; all readers share the answer. */
  readonly incarnations: Map<string, { readonly askedAt: number; readonly answer: Promise<string | undefined> }>
}

/** A failed attempt is the answer to everybody who asks within so many ms. */
const failedForMs = 200

/** Keeps a connection, made when it is first needed and again when it was lost. */
export class Sessions {
  readonly #settings: NatsSettings
  #opening: Promise<Session> | undefined
  #stopped = false

  constructor(settings: NatsSettings) {
    this.#settings = settings
  }

  /** The connection in use, or a new one. Throws `QUEUE_UNAVAILABLE`. */
  current(): Promise<Session> {
    if (this.#stopped) return Promise.reject(new PlatformError('QUEUE_UNAVAILABLE', 'the NATS carrier has stopped'))
    this.#opening ??= this.#open()
    return this.#opening
  }

  async stop(): Promise<void> {
    this.#stopped = true
    const session = await this.#opening?.catch(() => undefined)
    await session?.connection.close()
  }

  #open(): Promise<Session> {
    const forget = () => {
      if (this.#opening === opening) this.#opening = undefined
    }
    const opening = openSession(this.#settings, forget)
    opening.catch(() => setTimeout(forget, failedForMs))
    return opening
  }
}

async function openSession(settings: NatsSettings, onLost: () => void): Promise<Session> {
  try {
    const connection = await connect(connectionOptions(settings))
    const lost = new AbortController()
    void connection.closed().then(() => {
      onLost()
      lost.abort()
    })
    const manager = await jetstreamManager(connection, { checkAPI: false, timeout: settings.timeoutMs })
    const acknowledged = { at: Number.NEGATIVE_INFINITY }
    return { connection, manager, lost: lost.signal, acknowledged, declared: new Map(), incarnations: new Map() }
  } catch (error) {
    const text = `no connection to NATS at ${settings.servers.join(', ')}: ${messageOf(error)}`
    throw new PlatformError('QUEUE_UNAVAILABLE', text, { cause: error })
  }
}

function connectionOptions(settings: NatsSettings): NodeConnectionOptions {
  const { user, password, token, credentialsFile, tls } = settings
  return {
    servers: [...settings.servers],
    name: 'headrace',
    reconnect: false,
    timeout: settings.connectTimeoutMs,
    pingInterval: settings.pingMs,
    maxPingOut: 2,
    noAsyncTraces: true,
    ...(user !== undefined && { user }),
    ...(password !== undefined && { pass: password }),
    ...(token !== undefined && { token }),
    ...(tls !== undefined && { tls: { ...tls } }),
    ...(credentialsFile !== undefined && { authenticator: credsAuthenticator(readFileSync(credentialsFile)) }),
  }
}
