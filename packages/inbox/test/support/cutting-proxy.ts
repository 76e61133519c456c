import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Where a connection breaks: before COMMIT reaches the server, or after, with only its answer lost. */
export type Cut = 'before' | 'after'

/** Stands between a client and its server and cuts connections around COMMIT. */
export interface CuttingProxy extends AsyncDisposable {
  /** The server's address through this proxy. */
  readonly url: string
  /** COMMITs that were cut so far. */
  readonly cuts: number
  /** Cuts the next COMMITs, one after the other, in these ways. */
  cutNext(...cuts: readonly Cut[]): void
}

const commitBytes = Buffer.from('commit\0')

export async function cuttingProxy(serverUrl: string): Promise<CuttingProxy> {
  const target = new URL(serverUrl)
  const sockets = new Set<Socket>()
  const planned: Cut[] = []
  let cuts = 0
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
    upstream.on('data', (bytes) => client.writable && client.write(bytes))
    upstream.on('close', () => client.destroy())
    client.on('close', () => upstream.end())
    client.on('data', (bytes) => {
      const cut = bytes.includes(commitBytes) ? planned.shift() : undefined
      if (cut !== undefined) cuts += 1
      if (cut === 'before') upstream.destroy()
      else upstream.write(bytes)
      if (cut !== undefined) client.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(serverUrl)
  // A server that listens has an address of this kind.
  url.port = String((server.address() as AddressInfo).port)
  url.hostname = '127.0.0.1'
  return {
    url: url.href,
    get cuts() {
      return cuts
    },
    cutNext: (...more) => void planned.push(...more),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
