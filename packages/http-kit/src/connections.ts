import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { PlatformError, withDeadline } from '@headrace/runtime'
import { answerOn } from './client-errors.ts'
import { endEventStreams } from './event-stream.ts'

/** How often connections that have fallen idle are looked for while stopping, in ms. */
const idleSweepMs = 20
/** How long a connection that never said anything may still bring its first request while stopping, in ms. */
const silentMs = 200
/** How long a request that has come only in part may take to be whole while stopping, in ms. */
const partialMs = 1_000

/** The open connections of a server. */
export interface Connections {
  readonly open: number
  /**
   * Runs `close`, which stops accepting, and lets the requests that run be answered: idle connections are closed, the
   * others with their answer, streams at once, and requests that do not come whole soon are not waited for. Rejects with
   * `STOP_TIMEOUT` after cutting off what is left at the deadline.
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
      const began = performance.now()
      const sweep = setInterval(() => {
        server.closeIdleConnections()
        for (const socket of sockets) if (performance.now() - began > patienceMs(socket)) socket.destroy()
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

/** How long a connection is waited for while stopping, in ms: without end once its request is whole. */
function patienceMs(socket: Socket): number {
  // Opened in advance by a client that may never use it; the server counts it as busy.
  if (socket.bytesRead === 0) return silentMs
  return answerOn(socket)?.req.complete === true ? Number.POSITIVE_INFINITY : partialMs
}

// The answer under way carries `Connection: close`, so that the client does not send its next request here.
function sayLastAnswer(socket: Socket): void {
  const answer = answerOn(socket)
  if (answer !== undefined && !answer.headersSent) answer.shouldKeepAlive = false
}
