import { randomBytes } from 'node:crypto'
import { type Running, sleep, startLoop } from '@headrace/runtime'
import { requireText } from '../keyvalue.ts'
import { localListeners } from '../local-listeners.ts'
import { type PubSub, type PubSubOptions, requireChannel } from '../pubsub.ts'
import type { RedisAddress } from './address.ts'
import { RedisConnection, type RedisOptions } from './connection.ts'

/** Pub/sub through Redis, with two connections of its own. */
export interface RedisPubSub extends PubSub, Running {
  /** Asks the server for real, without side effects. Throws `KEYVALUE_UNAVAILABLE`. */
  probe(): Promise<void>
}

export interface RedisPubSubOptions extends RedisOptions {
  /** Told of what listeners throw; `onError` unless given. */
  readonly onListenerError?: PubSubOptions['onError']
}

const payloadLimitBytes = 1_048_576

/** Stands before every channel, so that the server may be shared: channels know nothing of its numbered databases. */
function prefixOf({ db = 0 }: RedisAddress): string {
  return `headrace:pubsub:${db}:`
}

/** Pause in ms between two looks whether the listening connection lives: nothing is sent on it otherwise. */
const lookMs = 5_000

/**
 * Pub/sub between all processes on a database of a Redis server. This process's own subscriptions are served directly,
 * without the round trip, also while the server is away. Payloads have at most 1 MiB.
 */
export function redisPubSub(options: RedisPubSubOptions): RedisPubSub {
  const { onListenerError = (error) => options.onError(error, 'pubsub listener') } = options
  const started = new StartedPubSub(options, { onError: onListenerError })
  const stop = () => started.stop()
  return {
    payloadLimitBytes,
    publish: (channel, payload) => started.publish(channel, payload),
    subscribe: (channel, listener) => started.subscribe(channel, listener),
    probe: () => started.probe(),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

class StartedPubSub {
  readonly #origin = randomBytes(9).toString('base64url')
  readonly #prefix: string
  readonly #own
  readonly #others
  readonly #publishing: RedisConnection
  readonly #listening: RedisConnection
  readonly #onError: RedisOptions['onError']
  /** Subscriptions of this process by channel; the server knows those that are not 0. */
  readonly #counts = new Map<string, number>()
  readonly #look: Running

  constructor(options: RedisOptions, listenerOptions: PubSubOptions) {
    this.#prefix = prefixOf(options.address)
    this.#own = localListeners(listenerOptions)
    this.#others = localListeners(listenerOptions)
    this.#onError = options.onError
    this.#publishing = new RedisConnection('pubsub publish', options)
    this.#listening = new RedisConnection('pubsub listen', options)
    const { client } = this.#listening
    client.on('message', (channel: string, message: string) => this.#hear(channel, message))
    client.on('ready', () => this.#tell('subscribe', [...this.#counts.keys()]))
    this.#look = startLoop({ name: 'pubsub', run: (signal) => this.#lookAlive(signal), onError: () => {} })
  }

  publish(channel: string, payload: string): void {
    requireChannel(channel)
    requireText('payload', payload, payloadLimitBytes)
    this.#own.deliver(channel, payload)
    if (!this.#publishing.isReady) return
    // A lost message is told to nobody; the connection tells of its loss by itself.
    this.#publishing.client.publish(this.#prefix + channel, `${this.#origin} ${payload}`).catch(() => undefined)
  }

  subscribe(channel: string, listener: (payload: string) => void): () => void {
    requireChannel(channel)
    const endOwn = this.#own.add(channel, listener)
    const endOthers = this.#others.add(channel, listener)
    this.#count(channel, 1)
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      endOwn()
      endOthers()
      this.#count(channel, -1)
    }
  }

  async probe(): Promise<void> {
    await Promise.all([this.#publishing, this.#listening].map((each) => each.send((redis) => redis.ping())))
  }

  async stop(): Promise<void> {
    await this.#look.stop()
    await Promise.all([this.#publishing.stop(), this.#listening.stop()])
  }

  #hear(channel: string, message: string): void {
    if (message.startsWith(this.#origin)) return
    this.#others.deliver(channel.slice(this.#prefix.length), message.slice(message.indexOf(' ') + 1))
  }

  #count(channel: string, change: 1 | -1): void {
    const before = this.#counts.get(channel) ?? 0
    const now = before + change
    if (now === 0) this.#counts.delete(channel)
    else this.#counts.set(channel, now)
    if (before === 0) this.#tell('subscribe', [channel])
    if (now === 0) this.#tell('unsubscribe', [channel])
  }

  /** Sends a change of subscriptions now if there is a connection; a new connection sends all of them anyway. */
  #tell(change: 'subscribe' | 'unsubscribe', channels: readonly string[]): void {
    if (channels.length === 0 || !this.#listening.isReady) return
    const { client } = this.#listening
    client[change](...channels.map((channel) => this.#prefix + channel)).catch((error: unknown) => {
      // A subscription that the server refused would stay silent: the next connection asks again.
      if (this.#listening.isReady) this.#onError(new Error(`${change} failed`, { cause: error }), 'pubsub listen')
    })
  }

  async #lookAlive(signal: AbortSignal): Promise<void> {
    await sleep(lookMs, signal)
    if (!signal.aborted) await this.#listening.send((redis) => redis.ping())
  }
}
