import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A connection that sends just what it is told, so that no client library mends it. */
export interface RawSocket extends Disposable {
  readonly socket: Socket
  send(text: string | Buffer): void
  /** What has arrived once the other side has closed; fails after `withinMs`. */
  untilClosed(withinMs?: number): Promise<string>
  /** What has arrived once it contains the text; fails after `withinMs`. */
  until(text: string, withinMs?: number): Promise<string>
}

export async function rawSocket(port: number): Promise<RawSocket> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
  })
  await once(socket, 'connect')
  // A reset is a way of being closed.
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.once('close', resolve))
  return {
    socket,
    send: (text) => void socket.write(text),
    async untilClosed(withinMs = 20_000) {
      await Promise.race([closed, fail(withinMs, () => `the connection to be closed; got ${received.slice(0, 300)}`)])
      return received
    },
    async until(text, withinMs = 20_000) {
      const late = fail(withinMs, () => `'${text}'; got ${received.slice(0, 300)}`)
      while (!received.includes(text)) await Promise.race([once(socket, 'data'), late])
      return received
    },
    [Symbol.dispose]: () => void socket.destroy(),
  }
}

function fail(ms: number, missing: () => string): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`waited ${ms} ms in vain for ${missing()}`)), ms).unref()
  })
}

/** A POST of JSON as text on the wire. */
export function post(path: string, body: string, headers: readonly string[] = []): string {
  const lines = [
    `POST ${path} HTTP/1.1`,
    'host: x',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ]
  return `${[...lines, ...headers].join('\r\n')}\r\n\r\n${body}`
}
