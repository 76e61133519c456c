import { Bell, PlatformError } from '@headrace/runtime'
import { createInbox, type Msg, nanos } from '@nats-io/transport-node'
import { type DeliveryPlace, placeOf } from './message.ts'
import type { Session } from './session.ts'

export interface PullOptions {
  readonly maxMessages: number
  readonly maxBytes: number
  /** Ends every wait. */
  readonly signal: AbortSignal
}

export interface Delivered {
  readonly message: Msg
  readonly place: DeliveryPlace
}

/** How long in ms a request for messages stands, and how often the server says that it still does. */
const requestMs = 30_000
const heartbeatMs = 2_000
/** Silence in ms after which a request is taken for lost and made again; after the third the server is. */
const silenceMs = 6_000
const silencesAllowed = 2

/** What was asked of the consumer and is not answered in full. */
interface Request {
  /** Where its answers arrive: those to an earlier one are told from it by their subject. */
  readonly inbox: string
  readonly inBytes: boolean
  /** How many messages it may still bring; 0 when it is over. */
  awaited: number
  brought: number
}

const none: Request = { inbox: '', inBytes: true, awaited: 0, brought: 1 }

/**
 * Pulls from a consumer with at most one request open, of at most one batch: what was asked for while the reader is
 * busy is all that is read ahead.
 */
export class Puller {
  readonly #session: Session
  readonly #api: string
  readonly #options: PullOptions
  readonly #over: AbortSignal
  readonly #inbox = createInbox()
  readonly #subscription: { unsubscribe(): void }
  readonly #news = new Bell()
  readonly #got: Delivered[] = []
  #requests = 0
  #request = none
  #last: DeliveryPlace | undefined
  #heardAt = 0
  #silences = 0
  /** The consumer is no more, or has left something out. */
  #ended = false

  constructor(session: Session, consumer: { readonly stream: string; readonly name: string }, options: PullOptions) {
    this.#session = session
    this.#api = `${consumer.stream}.${consumer.name}`
    this.#options = options
    this.#over = AbortSignal.any([options.signal, session.lost])
    const callback = (error: Error | null, message: Msg) => this.#take(error, message)
    this.#subscription = session.connection.subscribe(`${this.#inbox}.*`, { callback })
  }

  /** True when nobody wants more. */
  get aborted(): boolean {
    return this.#options.signal.aborted
  }

  /** True when the stream held no more when it sent the last message. */
  get atEnd(): boolean {
    return this.#last?.pending === 0
  }

  /**
   * The next batch, as soon as it is whole or the stream has no more; an empty one after `waitMs` or when the signal
   * aborts; undefined when the consumer has ended. Throws `QUEUE_UNAVAILABLE` when the server is gone or silent.
   */
  async next(waitMs: number): Promise<readonly Delivered[] | undefined> {
    const until = performance.now() + waitMs
    while (!this.#options.signal.aborted) {
      if (this.#got.length > 0 && (this.#request.awaited === 0 || this.atEnd || this.#ended)) return this.#got.splice(0)
      if (this.#ended) return undefined
      this.#requireServer()
      this.ask()
      const left = until - performance.now()
      if (left <= 0) return []
      await this.#news.wait(left, this.#over)
    }
    return []
  }

  /** Asks for a batch, unless one was asked for or is there. */
  ask(): void {
    if (this.#request.awaited > 0 || this.#got.length > 0 || this.#ended) return
    // A request that ended without bringing anything met a message that is larger than a batch.
    const inBytes = !(this.#request.inBytes && this.#request.brought === 0)
    const batch = inBytes ? this.#options.maxMessages : 1
    this.#requests += 1
    this.#request = { inbox: `${this.#inbox}.${this.#requests}`, inBytes, awaited: batch, brought: 0 }
    this.#heardAt = performance.now()
    const wanted = {
      batch,
      expires: nanos(requestMs),
      idle_heartbeat: nanos(heartbeatMs),
      ...(inBytes && { max_bytes: this.#options.maxBytes }),
    }
    const api = `$JS.API.CONSUMER.MSG.NEXT.${this.#api}`
    this.#session.connection.publish(api, JSON.stringify(wanted), { reply: this.#request.inbox })
  }

  close(): void {
    if (this.#session.lost.aborted || this.#session.connection.isClosed()) return
    this.#subscription.unsubscribe()
    // Nobody waits for the answer: the server drops a consumer that nobody asks by itself, too.
    this.#session.connection.publish(`$JS.API.CONSUMER.DELETE.${this.#api}`)
  }

  #requireServer(): void {
    if (this.#session.lost.aborted) throw new PlatformError('QUEUE_UNAVAILABLE', 'the connection to NATS was lost')
    if (this.#request.awaited === 0 || performance.now() - this.#heardAt < silenceMs) return
    this.#silences += 1
    if (this.#silences > silencesAllowed) {
      throw new PlatformError('QUEUE_UNAVAILABLE', `JetStream does not answer to a request for ${this.#api}`)
    }
    this.#request = none
  }

  #take(error: Error | null, message: Msg): void {
    this.#heardAt = performance.now()
    this.#silences = 0
    if (error !== null) this.#ended = true
    else if (message.subject.startsWith(this.#inbox)) this.#takeStatus(message)
    else this.#takeMessage(message)
    this.#news.ring()
  }

  #takeMessage(message: Msg): void {
    const place = placeOf(message)
    // Something was left out: the reader goes on behind what it has, with another consumer.
    if (place.delivery !== (this.#last?.delivery ?? 0) + 1) this.#ended = true
    if (this.#ended) return
    this.#last = place
    this.#got.push({ message, place })
    this.#request.brought += 1
    this.#request.awaited = Math.max(this.#request.awaited - 1, 0)
  }

  #takeStatus({ subject, headers }: Msg): void {
    if (subject !== this.#request.inbox || headers?.code === 100) return
    const { code = 0, description = '' } = headers ?? {}
    this.#request.awaited = 0
    if (code === 409 && /maxbytes|batch completed/i.test(description)) return
    // A request that ran out has met nothing that was too large.
    this.#request.brought += 1
    if (code !== 404 && code !== 408) this.#ended = true
  }
}
