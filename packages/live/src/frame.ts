/** Bytes of a stream as they go over the wire (HTML standard, Server-sent events); made once, shared by connections. */
export type Frame = Buffer

/** An event with its position. `json` is one line. */
export function eventFrame(seq: number, event: string, json: string): Frame {
  return Buffer.from(`id: ${seq}\nevent: ${event}\ndata: ${json}\n\n`)
}

/** An event without a position: it does not move the client's. */
export function looseFrame(event: string, json: string): Frame {
  return Buffer.from(`event: ${event}\ndata: ${json}\n\n`)
}

/** The first event of a stream: where it starts, and how long the client waits before it comes again. */
export function connectedFrame(position: number, retryMs: number): Frame {
  return Buffer.from(`retry: ${retryMs}\nid: ${position}\nevent: connected\ndata: {"position":${position}}\n\n`)
}

/** A comment: clients ignore it, and what lies between sees that the connection lives. */
export const heartbeatFrame: Frame = Buffer.from(': heartbeat\n\n')
