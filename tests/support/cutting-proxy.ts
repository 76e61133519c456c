import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** Stands before a server of streams and breaks connections off. */
export interface CuttingProxy extends AsyncDisposable {
  readonly url: string
  /** Connections that were made so far. */
  readonly connections: number
}

/**
 * Starts a proxy that breaks each connection off once it has passed `afterBytes(n)` bytes of the n-th answer's body, be
 * it amid an event. (Headers cut short are no broken connection to a browser but an answer of another kind.) Clients are
 * told to come again soon, so that a test need not wait.
 */
export async function startCuttingProxy(serverUrl: string, afterBytes: (n: number) => number): Promise<CuttingProxy> {
  const { hostname, port } = new URL(serverUrl)
  const open = new Set<Socket>()
  let connections = 0
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    const end = () => {
      client.destroy()
      upstream.destroy()
      open.delete(client)
    }
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end)
    open.add(client)
    client.pipe(upstream)
    const limit = afterBytes(connections)
    connections += 1
    let answer = ''
    upstream.on('data', (bytes) => {
      const before = answer.length
      answer += sooner(bytes.toString('latin1'))
      const head = answer.indexOf('\r\n\r\n')
      const until = head < 0 ? answer.length : Math.min(answer.length, head + 4 + limit)
      const passed = Buffer.from(answer.slice(before, until), 'latin1')
      if (until === answer.length) client.write(passed)
      else client.end(passed, end)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server without a port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    get connections() {
      return connections
    },
    async [Symbol.asyncDispose]() {
      for (const client of open) client.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The same number of digits, so that nothing else moves. */
function sooner(text: string): string {
  return text.replace(/(?<=^retry: )\d+(?=\n)/m, (digits) => '20'.padStart(digits.length, '0'))
}
