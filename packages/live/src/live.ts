import type { ServerResponse } from 'node:http'
import { type Database, isInfrastructureError, type Transaction } from '@headrace/database'
import { askToComeAgain, openEventStream, type Reply, type Request } from '@headrace/http-kit'
import type { PubSub } from '@headrace/keyvalue'
import type { Metrics, OnBackgroundError, Running } from '@headrace/runtime'
import { Connection, type Snapshot } from './connection.ts'
import { requireReached, resumedFrom } from './event-id.ts'
import { connectedFrame } from './frame.ts'
import { Heartbeat } from './heartbeat.ts'
import { type Hint, packHints, unpackHints } from './hints.ts'
import { Hub } from './hub.ts'
import { encodeEvent, type LiveEvent, requireSubject } from './live-event.ts'
import { type LiveMetrics, liveMetrics } from './live-metrics.ts'
import { publishCollector } from './publish.ts'
import { startLiveRetention } from './retention.ts'
import { type LiveStore, liveStore } from './store.ts'

export interface LiveNeeds {
  /** Where the events are kept; migrated with `liveMigrations`. */
  readonly database: Pick<Database, 'query'>
  /** Carries hints between replicas; any may be lost. */
  readonly pubsub: PubSub
  /** Told of what fails in the background and is tried again. */
  readonly onError: OnBackgroundError
  /** Where open streams and slow readers are counted; nowhere unless given. */
  readonly metrics?: Metrics
}

export interface LiveOptions {
  /** Pause in ms between comments that show that a connection lives. */
  readonly heartbeatMs?: number
  /** Shortest time in ms before a client comes again; each is told up to twice as much. */
  readonly retryMs?: number
  /** Pause in ms between two looks at the heads of all connected subjects: what a lost hint costs. */
  readonly pollMs?: number
  /** Bytes that may wait for a slow reader when more comes; beyond it is cut off. */
  readonly bufferLimitBytes?: number
  /** Events are kept so long, in ms; who comes later is given a `reset`. */
  readonly retentionMs?: number
  /** Pause in ms between two looks for old events. */
  readonly sweepMs?: number
}

export const liveDefaults = {
  heartbeatMs: 15_000,
  retryMs: 1_000,
  pollMs: 1_000,
  bufferLimitBytes: 262_144,
  retentionMs: 24 * 3_600_000,
  sweepMs: 60_000,
} as const satisfies Required<LiveOptions>

/** What a route says about the stream that it answers with. */
export interface LiveStream {
  readonly subject: string
  /** The subject's present state, as data of a `reset`, for a client whose position is older than what is kept. */
  readonly snapshot: Snapshot
}

/** Streams of a database, as one process publishes and serves them. */
export interface Live extends Running {
  /** Open streams in this process. */
  readonly connections: number
  /**
   * Adds an event to the transaction: it becomes its subject's next when that commits, and whoever is connected is told.
   * Throws `RangeError` or `TypeError` when the event is out of bounds.
   */
  publish(tx: Pick<Transaction, 'collect'>, event: LiveEvent): void
  /**
   * Tells whoever is connected to these streams and up to date, without a number: neither kept nor replayed.
   * Throws like `publish`.
   */
  tell(event: LiveEvent): void
  /**
   * Answers a request with the subject's stream (server-sent events), from its last event id, else from now on. The
   * caller has checked who asks. Throws `INVALID_EVENT_ID`, or what the database throws, before anything is answered;
   * while the database is away an EventSource is asked to come again instead.
   */
  stream(request: Request, reply: Reply, stream: LiveStream): Promise<void>
  /** Ends all streams; their clients come again elsewhere. */
  stop(): Promise<void>
}

/** The channel on which replicas tell each other of events. */
const channel = 'live'

/** Starts the streams of a process: its hub, its heartbeat, and the removal of old events. */
export function startLive(needs: LiveNeeds, options: LiveOptions = {}): Live {
  return new StartedLive(needs, { ...liveDefaults, ...options })
}

class StartedLive implements Live {
  readonly #pubsub: PubSub
  readonly #settings: Required<LiveOptions>
  readonly #store: LiveStore
  readonly #metrics: LiveMetrics
  readonly #hub: Hub
  readonly #heartbeat: Heartbeat
  readonly #retention: Running
  readonly #unsubscribe: () => void
  readonly #collector = publishCollector((hints) => this.#announce(hints))
  #stopping: Promise<void> | undefined

  constructor({ database, pubsub, onError, metrics }: LiveNeeds, settings: Required<LiveOptions>) {
    this.#pubsub = pubsub
    this.#settings = settings
    this.#store = liveStore(database)
    this.#metrics = liveMetrics(metrics)
    this.#hub = new Hub({ store: this.#store, onError, pollMs: settings.pollMs })
    this.#heartbeat = new Heartbeat(settings.heartbeatMs, onError)
    this.#retention = startLiveRetention(database, { ...settings, everyMs: settings.sweepMs, onError })
    this.#unsubscribe = pubsub.subscribe(channel, (message) => this.#hub.hear(unpackHints(message)))
  }

  get connections(): number {
    return this.#hub.connections.length
  }

  publish(tx: Pick<Transaction, 'collect'>, event: LiveEvent): void {
    tx.collect(this.#collector, encodeEvent(event))
  }

  tell(event: LiveEvent): void {
    const { subject, ...content } = encodeEvent(event)
    this.#hub.tell(subject, content)
  }

  async stream(request: Request, reply: Reply, { subject: name, snapshot }: LiveStream): Promise<void> {
    requireSubject(name)
    const resumed = resumedFrom(request)
    // Entered before the head is read: what happens in between is heard.
    const subject = this.#hub.enter(name)
    let head: number
    let answer: ServerResponse
    try {
      head = await this.#store.head(name)
      requireReached(resumed ?? head, head)
      answer = openEventStream(request, reply)
    } catch (error) {
      this.#hub.leave(subject)
      if (isInfrastructureError(error) && askToComeAgain(request, reply, this.#retryMs())) return
      throw error
    }
    const position = resumed ?? head
    const { bufferLimitBytes } = this.#settings
    const connection = new Connection({
      answer,
      subject,
      position,
      snapshot,
      bufferLimitBytes,
      onSlow: this.#metrics.slow,
    })
    // The client may have gone while the head was read.
    if (connection.isClosed || this.#stopping !== undefined) {
      connection.end()
      this.#hub.leave(subject)
      return
    }
    connection.write(connectedFrame(position, this.#retryMs()))
    this.#serve(connection, head, answer)
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #serve(connection: Connection, head: number, answer: ServerResponse): void {
    const endBeats = this.#heartbeat.add(connection)
    this.#metrics.opened()
    answer.once('close', () => {
      this.#metrics.closed()
      endBeats()
      this.#hub.part(connection)
    })
    this.#hub.join(connection, head)
  }

  // Spread, so that the clients of a replica that ends do not come to the others all at once.
  #retryMs(): number {
    return Math.round(this.#settings.retryMs * (1 + Math.random()))
  }

  #announce(hints: readonly Hint[]): void {
    for (const message of packHints(hints, this.#pubsub.payloadLimitBytes)) this.#pubsub.publish(channel, message)
  }

  async #stop(): Promise<void> {
    this.#unsubscribe()
    await this.#hub.stop()
    await this.#heartbeat.stop()
    await this.#retention.stop()
  }
}
