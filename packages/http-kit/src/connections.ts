import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { PlatformError, withDeadline } from '@headrace/runtime'
import { answerOn } from './client-errors.ts'
import { endEventStreams } from './event-stream.ts'

/** How often connections that have fallen idle are looked for while stopping, in ms. */
const idleSweepMs = 20
/** How long a connection that never said anything may still bring its first request while stopping, in ms. */
const silentMs = 200

/** The open connections of a server. */
export interface Connections {
  readonly open: number
  /**
   * Runs `close`, which stops accepting, and lets the requests that run be answered: idle connections are closed, the
   * others with their answer, streams at once. Rejects with `STOP_TIMEOUT` after cutting off what is left at the deadline.
   */
  drain(close: () => Promise<unknown>, deadlineMs: number): Promise<void>
}

/** Watches a server's connections. */
export function connectionsOf(server: Server): Connections {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return {
    get open() {
      return sockets.size
    },
    async drain(close, deadlineMs) {
      const closed = close()
      for (const socket of sockets) sayLastAnswer(socket)
      endEventStreams(server)
      const silentUntil = performance.now() + silentMs
      const sweep = setInterval(() => {
        server.closeIdleConnections()
        // Opened in advance by a client that may never use it; the server counts it as busy.
        if (performance.now() > silentUntil) for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
      }, idleSweepMs)
      const late = () =>
        new PlatformError('STOP_TIMEOUT', `${sockets.size} connections were cut off after ${deadlineMs} ms`)
      try {
        await withDeadline(closed, deadlineMs, late)
      } catch (error) {
        server.closeAllConnections()
        await closed
        throw error
      } finally {
        clearInterval(sweep)
      }
    },
  }
}

// The answer under way carries `Connection: close`, so that the client does not send its next request here.
function sayLastAnswer(socket: Socket): void {
  const answer = answerOn(socket)
  if (answer !== undefined && !answer.headersSent) answer.shouldKeepAlive = false
}
