/** An order as the stream shows it. */
export interface LiveOrder {
  readonly id: string
  readonly amount: number
  readonly status: string
  readonly errorReason: string
}

/** Follows a user's stream until disposed of; resolves once it is connected. */
export async function watchOrders(
  url: string,
  user: string,
  onUpdate: (id: string, order: LiveOrder) => void,
): Promise<AsyncDisposable> {
  const leaving = new AbortController()
  const answer = await fetch(`${url}/orders-api/orders/stream?user_id=${user}`, { signal: leaving.signal })
  if (!answer.ok || answer.body === null) throw new Error(`the stream answered ${answer.status}`)
  const reading = read(answer.body, onUpdate).catch((error: unknown) => {
    if (!leaving.signal.aborted) throw error
  })
  return {
    async [Symbol.asyncDispose]() {
      leaving.abort()
      await reading
    },
  }
}

async function read(body: ReadableStream<Uint8Array>, onUpdate: (id: string, order: LiveOrder) => void): Promise<void> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true })
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = new Map(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
      )
      text = text.slice(end + 2)
      if (fields.get('event') !== 'order-update') continue
      // The contract's order.
      onUpdate(fields.get('id') ?? '', JSON.parse(fields.get('data') ?? '') as LiveOrder)
    }
  }
}
