import { Agent, request } from 'node:http'

/** What became of the messages that a client sent. */
export interface Sent {
  /** Ids that were confirmed: each of them must be processed once, whatever happens. */
  readonly accepted: Set<string>
  /** Requests that were answered with anything else. */
  refused: number
  /** Requests whose answer never came: they may or may not have been accepted. */
  unknown: number
}

export interface IngestLoad {
  readonly url: string
  /** Requests at the same time. */
  readonly clients: number
  /** Ends the load; requests in flight are awaited. */
  readonly signal: AbortSignal
  /** Stop after this many requests; default: until the signal. */
  readonly most?: number
  readonly path?: string
}

/** Sends messages until told to stop. Sources repeat, so that keys have an order to keep. */
export async function ingest(load: IngestLoad): Promise<Sent> {
  const sent: Sent = { accepted: new Set(), refused: 0, unknown: 0 }
  const agent = new Agent({ keepAlive: true, maxSockets: load.clients })
  let count = 0
  const client = async () => {
    while (!load.signal.aborted && count < (load.most ?? Number.POSITIVE_INFINITY)) {
      count += 1
      const body = JSON.stringify({ source: `source-${count % 50}`, data: `message ${count}` })
      const answer = await post(agent, `${load.url}${load.path ?? '/api/v1/ingest'}`, body)
      if (answer === undefined) sent.unknown += 1
      else if (answer.status === 200) sent.accepted.add((JSON.parse(answer.text) as { messageId: string }).messageId)
      else sent.refused += 1
      // A server that is away is asked again soon, not as fast as it refuses.
      if (answer === undefined) await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  await Promise.all(Array.from({ length: load.clients }, client))
  agent.destroy()
  return sent
}

function post(agent: Agent, url: string, body: string): Promise<{ status: number; text: string } | undefined> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const sending = request(url, { agent, method: 'POST', headers, timeout: 30_000 }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => (text += part))
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }))
      answer.on('error', () => resolve(undefined))
    })
    sending.on('error', () => resolve(undefined)).on('timeout', () => sending.destroy())
    sending.end(body)
  })
}
