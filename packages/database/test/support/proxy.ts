import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/**
 * What becomes of a connection when a statement arrives.
 *
 * - `pass`: nothing.
 * - `cut`: the client is cut off, and the statement never reaches the server, which sees the connection end.
 * - `cut-answer`: the server gets the statement and answers it; the answer is lost and the client cut off.
 * - `cut-client`: the server gets the statement, the client is cut off at once, and the server notices nothing.
 * - `hold`: the client is cut off; the statement and what follows reach the server when `letGo` is called.
 * - `swallow`: from here on nothing passes in either direction, and nobody is told.
 */
export type Fate = 'pass' | 'cut' | 'cut-answer' | 'cut-client' | 'hold' | 'swallow'

export interface ServerProxy extends AsyncDisposable {
  /** The server's address as seen through the proxy. */
  readonly url: string
  /** Decides about each statement, by its name or, without one, its text. */
  fate: (statement: string) => Fate
  /** Rewrites the texts of prepared statements on their way to the server: for mutants. */
  rewrite: (text: string) => string
  /** Connections that the proxy has not taken are refused while this is false. */
  open: boolean
  /** Lets what was held reach the server; resolves when that has answered all of it. */
  letGo(): Promise<void>
  /** From now on no connection lets anything through. */
  swallowAll(): void
}

/** A TCP proxy in front of a PostgreSQL server that reads statements and lets connections break at any of them. */
export async function startProxy(serverUrl: string): Promise<ServerProxy> {
  const target = new URL(serverUrl)
  const links = new Set<Link>()
  const server = createServer((client) => {
    if (!proxy.open) {
      client.destroy()
      return
    }
    const link = new Link(client, connect(Number(target.port || 5432), target.hostname), proxy)
    links.add(link)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port')
  const url = new URL(serverUrl)
  url.hostname = '127.0.0.1'
  url.port = String(address.port)
  const proxy: ServerProxy = {
    url: url.href,
    fate: () => 'pass',
    rewrite: (text) => text,
    open: true,
    letGo: async () => void (await Promise.all([...links].map((link) => link.letGo()))),
    swallowAll: () => {
      for (const link of links) link.swallow()
    },
    async [Symbol.asyncDispose]() {
      for (const link of links) link.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  return proxy
}

/** Modes: passing → holding → passing, or → swallowing, or → cut. Frames are read in `#fromClient`, one at a time. */
class Link {
  readonly #client: Socket
  readonly #server: Socket
  readonly #proxy: ServerProxy
  #started = false
  #pending: Buffer = Buffer.alloc(0)
  #answers: Buffer = Buffer.alloc(0)
  #held: Buffer[] | undefined
  #swallowing = false
  /** Questions sent (Query and Sync) and answered (ReadyForQuery); the answer to `#doomed` is not let through. */
  #asked = 0
  #answered = 0
  #doomed = Number.POSITIVE_INFINITY
  #unnamed = ''

  constructor(client: Socket, server: Socket, proxy: ServerProxy) {
    this.#client = client
    this.#server = server
    this.#proxy = proxy
    for (const socket of [client, server]) socket.setNoDelay(true).on('error', () => {})
    client.on('data', (bytes: Buffer) => this.#fromClient(bytes))
    server.on('data', (bytes: Buffer) => this.#fromServer(bytes))
    client.on('close', () => {
      if (this.#held === undefined && !this.#swallowing && !this.#cutQuietly) server.end()
    })
    server.on('close', () => {
      if (!this.#swallowing) client.destroy()
    })
  }

  #cutQuietly = false

  async letGo(): Promise<void> {
    if (this.#held === undefined) return
    const held = this.#held
    this.#held = undefined
    this.#cutQuietly = true
    for (const bytes of held) this.#server.write(bytes)
    while (this.#answered < this.#asked && !this.#server.closed) await once(this.#server, 'data')
  }

  swallow(): void {
    this.#swallowing = true
  }

  destroy(): void {
    this.#client.destroy()
    this.#server.destroy()
  }

  #fromClient(bytes: Buffer): void {
    if (this.#swallowing) return
    this.#pending = Buffer.concat([this.#pending, bytes])
    for (;;) {
      const header = this.#started ? 1 : 0
      if (this.#pending.length < header + 4) return
      const length = header + this.#pending.readUInt32BE(header)
      if (this.#pending.length < length) return
      const frame = this.#pending.subarray(0, length)
      this.#pending = this.#pending.subarray(length)
      this.#pass(frame)
      if (this.#swallowing || (this.#client.destroyed && this.#held === undefined)) return
    }
  }

  #pass(frame: Buffer): void {
    const type = this.#started ? String.fromCharCode(frame[0] ?? 0) : ''
    this.#started = true
    const statement = this.#statementOf(type, frame)
    const fate = statement === undefined || this.#held !== undefined ? 'pass' : this.#proxy.fate(statement)
    if (fate === 'cut') this.#cut()
    if (fate === 'swallow') this.swallow()
    if (fate === 'cut' || fate === 'swallow') return
    if (fate === 'hold') {
      this.#held = []
      // What the client sent in the same flight is still to be read.
      setImmediate(() => this.#client.destroy())
    }
    if (fate === 'cut-answer') this.#doomed = this.#asked + 1
    if (type === 'Q' || type === 'S') this.#asked += 1
    const bytes = type === 'P' ? this.#rewritten(frame) : frame
    if (this.#held !== undefined) this.#held.push(Buffer.from(bytes))
    else this.#server.write(bytes)
    if (fate === 'cut-client') {
      this.#cutQuietly = true
      setImmediate(() => this.#client.destroy())
    }
  }

  #cut(): void {
    this.#client.destroy()
    this.#server.end()
  }

  /** The statement that a frame runs: the text of a Query, or at a Bind its name or else the text last parsed. */
  #statementOf(type: string, frame: Buffer): string | undefined {
    if (type === 'Q') return textAt(frame, 5)
    if (type === 'P' && textAt(frame, 5) === '') this.#unnamed = textAt(frame, 6)
    if (type !== 'B') return undefined
    const portal = textAt(frame, 5)
    return textAt(frame, 6 + Buffer.byteLength(portal)) || this.#unnamed
  }

  #rewritten(frame: Buffer): Buffer {
    const name = textAt(frame, 5)
    const start = 6 + Buffer.byteLength(name)
    const text = textAt(frame, start)
    const rest = frame.subarray(start + Buffer.byteLength(text))
    const body = Buffer.concat([frame.subarray(5, start), Buffer.from(this.#proxy.rewrite(text)), rest])
    const header = Buffer.from('P0000')
    header.writeUInt32BE(body.length + 4, 1)
    return Buffer.concat([header, body])
  }

  #fromServer(bytes: Buffer): void {
    if (this.#swallowing) return
    this.#answers = Buffer.concat([this.#answers, bytes])
    while (this.#answers.length >= 5) {
      const length = 1 + this.#answers.readUInt32BE(1)
      if (this.#answers.length < length) return
      const frame = this.#answers.subarray(0, length)
      this.#answers = this.#answers.subarray(length)
      const lost = this.#answered + 1 >= this.#doomed
      if (!lost && !this.#client.destroyed) this.#client.write(frame)
      // The first ReadyForQuery ends the start of the session and answers nothing.
      if (frame[0] === 0x5a && this.#asked > 0) this.#answered += 1
      if (this.#answered >= this.#doomed) {
        this.#cut()
        return
      }
    }
  }
}

/** The text that ends in NUL at this place. */
function textAt(frame: Buffer, start: number): string {
  return frame.toString('utf8', start, frame.indexOf(0, start))
}
