import { Agent, get, request } from 'node:http'

/** A customer with money and an open stream. */
export interface Customer {
  readonly user: string
  /** Resolves with the time (`performance.now`) at which the stream showed the order as paid. */
  paid(orderId: string): Promise<number>
  close(): void
}

/** Requests over kept connections. */
export class Client {
  readonly #url: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 })

  constructor(url: string) {
    this.#url = url
  }

  post(path: string, body: unknown): Promise<Readonly<Record<string, unknown>>> {
    const text = JSON.stringify(body)
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
    return new Promise((resolve, reject) => {
      const sent = request(`${this.#url}${path}`, { agent: this.#agent, method: 'POST', headers }, (answer) => {
        let said = ''
        answer.setEncoding('utf8').on('data', (part: string) => (said += part))
        answer.on('end', () => {
          const isGood = answer.statusCode === 200 || answer.statusCode === 201
          if (isGood) resolve(JSON.parse(said) as Record<string, unknown>)
          else reject(new Error(`${path}: ${answer.statusCode} ${said.slice(0, 200)}`))
        })
      })
      sent.on('error', reject).end(text)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

/** Opens an account, fills it, and follows its orders. */
export async function newCustomer(url: string, client: Client): Promise<Customer> {
  const { user_id } = await client.post('/payments-api/accounts', {})
  const user = String(user_id)
  await client.post(`/payments-api/accounts/${user}/topup`, { amount: 1_000_000 })
  const seen = new Map<string, number>()
  const waiting = new Map<string, (at: number) => void>()
  const stream = await follow(`${url}/orders-api/orders/stream?user_id=${user}`, (id) => {
    const at = performance.now()
    const resolve = waiting.get(id)
    if (resolve === undefined) seen.set(id, at)
    else resolve(at)
    waiting.delete(id)
  })
  return {
    user,
    paid(id) {
      const at = seen.get(id)
      seen.delete(id)
      return at !== undefined ? Promise.resolve(at) : new Promise((resolve) => waiting.set(id, resolve))
    },
    close: () => stream.destroy(),
  }
}

/** Resolves once the stream is connected. */
function follow(url: string, onPaid: (orderId: string) => void): Promise<{ destroy(): void }> {
  return new Promise((resolve, reject) => {
    const asked = get(url, { agent: new Agent() }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const event = text.slice(0, end)
          text = text.slice(end + 2)
          if (event.includes('event: connected')) resolve(answer)
          const id = event.includes('"status":"paid"') ? /"id":"([^"]+)"/.exec(event)?.[1] : undefined
          if (id !== undefined) onPaid(id)
        }
      })
      answer.on('error', () => {})
    })
    asked.on('error', reject)
  })
}
