import { type ClientRequest, get, type IncomingMessage } from 'node:http'
import { untilTrue } from '@headrace/database/testing'

/** An event as a client parses it (HTML standard, Server-sent events). */
export interface ReceivedEvent {
  /** The `id` field of this event; undefined when it has none. */
  readonly id: string | undefined
  readonly event: string
  readonly data: string
}

export interface StreamOptions {
  readonly lastEventId?: string | number
  readonly headers?: Readonly<Record<string, string>>
  /** Called with each event as it arrives. */
  readonly onEvent?: (event: ReceivedEvent, client: StreamClient) => void
}

/** A reader of a stream. It does not come again by itself. */
export class StreamClient implements Disposable {
  readonly events: ReceivedEvent[] = []
  comments = 0
  retryMs: number | undefined
  status: number | undefined
  headers: IncomingMessage['headers'] = {}
  /** The whole answer, as text. */
  text = ''
  isOver = false
  readonly #request: ClientRequest
  readonly #onEvent: StreamOptions['onEvent']
  #response: IncomingMessage | undefined
  #rest = ''

  constructor(url: string, options: StreamOptions = {}) {
    this.#onEvent = options.onEvent
    const id = options.lastEventId
    const headers = { ...options.headers, ...(id !== undefined && { 'last-event-id': String(id) }) }
    // No pooled connection: a cut ends it.
    this.#request = get(url, { headers, agent: false }, (response) => this.#read(response))
    this.#request.on('error', () => this.#end())
    this.#request.on('close', () => this.#end())
  }

  /** Position that the client has: what it would send as `Last-Event-ID`. */
  get lastEventId(): string | undefined {
    return this.events.findLast(({ id }) => id !== undefined)?.id
  }

  /** Ids of events other than `connected`, as numbers. */
  get ids(): number[] {
    return this.events.filter(({ event, id }) => event !== 'connected' && id !== undefined).map(({ id }) => Number(id))
  }

  named(event: string): ReceivedEvent[] {
    return this.events.filter((each) => each.event === event)
  }

  /** Waits for the `connected` event. */
  async connected(): Promise<this> {
    await untilTrue('the stream is connected', () => {
      if (this.isOver) throw new Error(`the stream ended with ${this.status}: ${this.text}`)
      return this.named('connected').length > 0
    })
    return this
  }

  /** Waits until an id has arrived. */
  reaches(id: number, deadlineMs?: number): Promise<void> {
    return untilTrue(`event ${id} arrives`, () => this.ids.at(-1) === id, deadlineMs)
  }

  over(): Promise<void> {
    return untilTrue('the stream ends', () => this.isOver)
  }

  pause(): void {
    this.#response?.pause()
  }

  resume(): void {
    this.#response?.resume()
  }

  cut(): void {
    this.isOver = true
    this.#request.destroy()
  }

  [Symbol.dispose](): void {
    this.cut()
  }

  #read(response: IncomingMessage): void {
    this.#response = response
    this.status = response.statusCode
    this.headers = response.headers
    response.setEncoding('utf8')
    response.on('error', () => this.#end())
    response.on('close', () => this.#end())
    response.on('data', (text: string) => {
      if (this.isOver) return
      this.text += text
      this.#rest += text
      for (let end = this.#rest.indexOf('\n\n'); end >= 0 && !this.isOver; end = this.#rest.indexOf('\n\n')) {
        this.#take(this.#rest.slice(0, end))
        this.#rest = this.#rest.slice(end + 2)
      }
    })
  }

  #take(block: string): void {
    const fields = new Map<string, string>()
    for (const line of block.split('\n')) {
      if (line.startsWith(':')) this.comments += 1
      else fields.set(line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trimStart())
    }
    if (fields.has('retry')) this.retryMs = Number(fields.get('retry'))
    const data = fields.get('data')
    if (data === undefined) return
    const event = { id: fields.get('id'), event: fields.get('event') ?? 'message', data }
    this.events.push(event)
    this.#onEvent?.(event, this)
  }

  #end(): void {
    this.isOver = true
  }
}
