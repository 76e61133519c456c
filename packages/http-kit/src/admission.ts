import type { Socket } from 'node:net'
import { PlatformError } from '@headrace/runtime'
import type { onRequestHookHandler } from 'fastify'
import type { App } from './app.ts'

export interface AdmissionOptions {
  /** Most requests in flight at a time, over all routes that share the admission. */
  readonly limit: number
  /** Seconds after which a refused caller may try again; 1 unless given. */
  readonly retryAfterS?: number
  /** Refuses for another reason too, such as a queue behind the routes that is full. */
  readonly isFull?: () => boolean
}

export interface Admission {
  /** The hook for the routes: refuses with `QUEUE_FULL` before the body is read. */
  readonly onRequest: onRequestHookHandler
  readonly inFlight: number
  /** Refused since the start. */
  readonly refused: number
}

/**
 * Bounds the requests in flight of a group of routes. A request counts until its answer is sent or its caller is gone.
 */
export function admission(options: AdmissionOptions): Admission {
  const slots = slotsBySocket()
  let refused = 0
  const full = () =>
    new PlatformError('QUEUE_FULL', 'too many requests are in flight: nothing was accepted', {
      details: { retryAfterS: options.retryAfterS ?? 1 },
    })
  return {
    get inFlight() {
      return slots.taken
    },
    get refused() {
      return refused
    },
    onRequest(request, reply, done) {
      if (slots.taken >= options.limit || options.isFull?.() === true) {
        refused += 1
        return done(full())
      }
      const { socket } = request.raw
      // Gone while an earlier hook ran: nothing would tell us again.
      if (socket.destroyed) return done()
      slots.take(socket)
      reply.raw.on('close', () => slots.free(socket))
      done()
    },
  }
}

/** Adds routes that share an admission, which is asked first. */
export function withAdmission(app: App, options: AdmissionOptions, add: (scope: App) => void): void {
  void app.register((scope, _options, done) => {
    scope.addHook('onRequest', admission(options).onRequest)
    add(scope)
    done()
  })
}

// An answer that waits behind another on its connection never says 'close' when the connection dies: what a socket
// still holds when it closes is freed with it.
function slotsBySocket() {
  const held = new Map<Socket, number>()
  const watched = new WeakSet<Socket>()
  const slots = { taken: 0, take, free }
  return slots

  function take(socket: Socket): void {
    slots.taken += 1
    held.set(socket, (held.get(socket) ?? 0) + 1)
    if (watched.has(socket)) return
    watched.add(socket)
    socket.once('close', () => {
      slots.taken -= held.get(socket) ?? 0
      held.delete(socket)
    })
  }

  function free(socket: Socket): void {
    const count = held.get(socket)
    if (count === undefined) return
    slots.taken -= 1
    if (count === 1) held.delete(socket)
    else held.set(socket, count - 1)
  }
}
