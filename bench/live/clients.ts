import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** Readers of streams: bare sockets, so that the server is what is measured. */
export interface Clients extends Disposable {
  /** Events that have arrived, `connected` not counted. */
  readonly deliveries: number
  /** Streams that have ended. */
  readonly lost: number
}

/** How many connect at once. */
const atOnce = 200

/** Connects `count` clients; `subject` names each one's stream. Resolves when all are connected. */
export async function connectClients(port: number, count: number, subject: (n: number) => string): Promise<Clients> {
  const sockets: Socket[] = []
  const counted = { deliveries: 0, lost: 0 }
  for (let n = 0; n < count; n += atOnce) {
    const some = Array.from({ length: Math.min(atOnce, count - n) }, (_, index) =>
      connectOne({ port, subject: subject(n + index) }, counted),
    )
    sockets.push(...(await Promise.all(some)))
  }
  return {
    get deliveries() {
      return counted.deliveries
    },
    get lost() {
      return counted.lost
    },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy()
    },
  }
}

const blank = 0x0a

async function connectOne(
  to: { readonly port: number; readonly subject: string },
  counted: { deliveries: number; lost: number },
): Promise<Socket> {
  const socket = connect(to.port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(`GET /stream/${to.subject} HTTP/1.1\r\nhost: bench\r\naccept: text/event-stream\r\n\r\n`)
  const [head] = await once(socket, 'data')
  if (!String(head).startsWith('HTTP/1.1 200')) throw new Error(`the server answered ${head}`)
  socket.on('close', () => {
    counted.lost += 1
  })
  // A blank line ends an event; no byte of ours before it is one. Carriage returns of chunks are no line ends.
  let wasEnd = false
  socket.on('data', (bytes) => {
    for (let at = bytes.indexOf(blank); at >= 0; at = bytes.indexOf(blank, at + 1)) {
      const isBlank = at === 0 ? wasEnd : bytes[at - 1] === blank
      if (isBlank) counted.deliveries += 1
    }
    wasEnd = bytes.at(-1) === blank
  })
  return socket
}
