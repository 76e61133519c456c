import { Agent, request } from 'node:http'

export interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

export interface ClientOptions {
  readonly url: URL
  readonly token: string | undefined
  /** Connections kept open. */
  readonly connections: number
}

/** How long one answer may take, in ms. */
const timeoutMs = 30_000

/** A client for JSON over a fixed number of connections that are kept open. */
export class Client {
  readonly #agent: Agent
  readonly #options: ClientOptions

  constructor(options: ClientOptions) {
    this.#options = options
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.connections, scheduling: 'fifo' })
  }

  get(path: string): Promise<Answer> {
    return this.#send('GET', path, undefined)
  }

  post(path: string, body: string): Promise<Answer> {
    return this.#send('POST', path, body)
  }

  close(): void {
    this.#agent.destroy()
  }

  #send(method: string, path: string, body: string | undefined): Promise<Answer> {
    const { url, token } = this.#options
    const headers = {
      ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    }
    return new Promise((resolve, reject) => {
      const sent = request(
        new URL(path, url),
        { method, headers, agent: this.#agent, timeout: timeoutMs },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', reject)
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parsed(Buffer.concat(chunks)) }))
        },
      )
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)))
      sent.on('error', reject)
      sent.end(body)
    })
  }
}

function parsed(bytes: Buffer): Answer['body'] {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
