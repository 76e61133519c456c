import type { Server, ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** The streams of a server that are open, and whether it takes new ones. */
interface OpenStreams {
  readonly all: Set<ServerResponse>
  isStopping: boolean
}

const servers = new WeakMap<Server, OpenStreams>()

/**
 * Begins an answer of server-sent events and hands over what to write to. It lasts until its writer or the client ends
 * it, or the server stops, which ends all streams at once: clients come again by themselves, elsewhere. It may be
 * ended already: a `HEAD` has no body, and a server that stops keeps nobody. Throws `TypeError` on a route that does not
 * say that it is a stream: browsers could not come in.
 */
export function openEventStream(request: FastifyRequest, reply: FastifyReply): ServerResponse {
  const { url, config } = request.routeOptions
  if (!config.stream) throw new TypeError(`route ${url} is a stream: set config.stream to true`)
  reply.hijack()
  const answer = reply.raw
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) answer.setHeader(name, value)
  // Ended by the end of the connection: what is written goes out as it is, without a frame of chunks around each part.
  answer.useChunkedEncodingByDefault = false
  answer.writeHead(200, streamHeaders)
  const streams = streamsOf(request.server.server)
  if (request.method === 'HEAD' || streams.isStopping) return answer.end()
  streams.all.add(answer)
  answer.once('close', () => streams.all.delete(answer))
  return answer
}

/**
 * Answers somebody who can only be told later: a browser's EventSource gives up for good on any status but 200, so it
 * gets an empty stream and is told to come again, with the last event id that it had. Tells whether it is one; anybody
 * else is to be told the error.
 */
export function askToComeAgain(request: FastifyRequest, reply: FastifyReply, retryMs = 1_000): boolean {
  if (request.method !== 'GET' || !request.headers.accept?.includes('text/event-stream')) return false
  const answer = openEventStream(request, reply)
  if (!answer.writableEnded) answer.end(`: unavailable\nretry: ${retryMs}\n\n`)
  return true
}

/** Ends the open streams of a server, and each new one as soon as it begins. */
export function endEventStreams(server: Server): void {
  const streams = streamsOf(server)
  streams.isStopping = true
  for (const answer of streams.all) endStream(answer)
}

/** Ends a stream without waiting for a client that does not read. */
export function endStream(answer: ServerResponse): void {
  if (answer.writableLength > 0) answer.destroy()
  else answer.end()
}

const streamHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  // Proxies must not hold back what is small.
  'x-accel-buffering': 'no',
  connection: 'close',
}

function streamsOf(server: Server): OpenStreams {
  const known = servers.get(server)
  if (known !== undefined) return known
  const streams: OpenStreams = { all: new Set(), isStopping: false }
  servers.set(server, streams)
  return streams
}
