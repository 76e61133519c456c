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
  /** Cuts the next COMMIT of a transaction that held the statement with this name. */
  cutNext(cut: Cut, statement: string): void
}

const commitBytes = Buffer.from('commit\0')

export async function cuttingProxy(serverUrl: string): Promise<CuttingProxy> {
  const target = new URL(serverUrl)
  const sockets = new Set<Socket>()
  const planned: { readonly cut: Cut; readonly statement: Buffer }[] = []
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
    // What was sent since the last COMMIT, in which statements are called by their names.
    let sent = Buffer.alloc(0)
    client.on('data', (bytes) => {
      sent = Buffer.concat([sent, bytes])
      const commits = bytes.includes(commitBytes)
      const at = commits ? planned.findIndex(({ statement }) => sent.includes(statement)) : -1
      const cut = planned.splice(at, at < 0 ? 0 : 1)[0]?.cut
      if (commits) sent = Buffer.alloc(0)
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
    cutNext: (cut, statement) => void planned.push({ cut, statement: Buffer.from(`${statement}\0`) }),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
