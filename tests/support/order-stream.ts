/** What a client has read of a stream: ids and orders, in order. */
export interface ReadStream extends AsyncDisposable {
  readonly events: readonly { readonly id: number; readonly order: { readonly id: string; readonly status: string } }[]
}

/** Follows a user's stream like a browser: comes again with its last id whenever the connection is lost. */
export function followOrders(url: string, user: string, signal?: AbortSignal): ReadStream {
  const leaving = new AbortController()
  signal?.addEventListener('abort', () => leaving.abort())
  const events: { id: number; order: { id: string; status: string } }[] = []
  const follow = async () => {
    while (!leaving.signal.aborted) {
      const last = String(events.at(-1)?.id ?? 0)
      await readOnce(`${url}/orders-api/orders/stream?user_id=${user}`, last, leaving.signal, (id, order) => {
        events.push({ id, order })
      }).catch(() => {})
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  const following = follow()
  return {
    events,
    async [Symbol.asyncDispose]() {
      leaving.abort()
      await following
    },
  }
}

async function readOnce(
  url: string,
  lastEventId: string,
  signal: AbortSignal,
  onUpdate: (id: number, order: { id: string; status: string }) => void,
): Promise<void> {
  const answer = await fetch(url, { signal, headers: { 'last-event-id': lastEventId } })
  if (!answer.ok || answer.body === null) return
  let text = ''
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    text += chunk
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const event = text.slice(0, end)
      text = text.slice(end + 2)
      const [, id = '', data = ''] =
        /^event: order-update\nid: (\d+)\ndata: (.*)$|^id: (\d+)\nevent: order-update\ndata: (.*)$/
          .exec(event)
          ?.filter((part) => part !== undefined) ?? []
      if (id !== '') onUpdate(Number(id), JSON.parse(data) as { id: string; status: string })
    }
  }
}
