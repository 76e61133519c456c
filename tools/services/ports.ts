import { randomInt } from 'node:crypto'
import { connect, createServer } from 'node:net'

/** Below the ports that systems give to outgoing connections, so that a server finds its port again. */
const range = { first: 20_000, last: 32_000 } as const
const given = new Set<number>()

/** A port of loopback that nobody listens on, and that this process has given to nobody else. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(range.first, range.last)
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
  throw new Error(`no free port between ${range.first} and ${range.last}`)
}

/** Tells whether one can listen on a port of loopback now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** Connects, sends `opening`, and returns what comes back first; undefined when nobody answers within a second. */
export function firstAnswer(port: number, opening = '', host = '127.0.0.1'): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: 1_000 })
    const end = (answer: string | undefined) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => socket.write(opening))
    socket.once('data', (answer) => end(answer.toString()))
    for (const event of ['error', 'timeout', 'close']) socket.once(event, () => end(undefined))
  })
}
