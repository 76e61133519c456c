import { pipeline } from 'node:stream/promises'
import { type App, askToComeAgain, openEventStream, type Reply, type Request } from '@headrace/http-kit'
import { PlatformError } from '@headrace/runtime'
import type { Dispatcher } from 'undici'
import { forwardError, handedOn, passed } from './proxy.ts'
import type { RemotePath } from './remote-modules.ts'
import { answerMs, type Upstream } from './upstream.ts'

/**
 * Longest time until the answer to a write begins, in ms: longer than a module waits for its workers (ACK_TIMEOUT_MS), and
 * shorter than the caller's connection may be idle, so that whoever waits in vain is told.
 */
const beginMs = 50_000
/** Longest pause within an answer, in ms; streams show a sign of life every 15 s. */
const pauseMs = 60_000

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

export interface RemotePaths {
  readonly paths: readonly RemotePath[]
  /** The variable that says where they are served, named in errors. */
  readonly variable: string
  readonly upstream: Upstream
}

/** Adds paths whose requests are handed on as they are, and whose answers are passed back as they arrive. */
export function addRemotePaths(app: App, { paths, variable, upstream }: RemotePaths): void {
  void app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) => parsed(null, body))
    for (const { path, access } of paths) {
      // Described by the module itself.
      const route = { method: [...methods], url: path, config: { access }, schema: { hide: true } }
      scope.route({
        ...route,
        handler: async (request, reply) => {
          const answer = await begin(upstream, variable, asked(request, reply))
          return reply.code(answer.statusCode).headers(passed(answer.headers)).send(answer.body)
        },
      })
    }
    done()
  })
}

/**
 * Adds paths of server-sent events. An EventSource that comes while no replica can be reached is asked to come again; a
 * stream ends with its replica's, with its client, and with this server, whichever is first.
 */
export function addRemoteStreams(app: App, { paths, variable, upstream }: RemotePaths): void {
  for (const { path, access } of paths) {
    const config = { access, stream: 'elsewhere' as const }
    app.get(path, { config, schema: { hide: true } }, async (request, reply) => {
      const question = asked(request, reply)
      const answer = await begin(upstream, variable, question).catch((error: unknown) => {
        if (askToComeAgain(request, reply)) return undefined
        throw error
      })
      if (answer === undefined) return
      reply.code(answer.statusCode).headers(passed(answer.headers))
      if (!isStream(answer)) return reply.send(answer.body)
      // Either end that breaks ends the other; whoever reads comes again by itself.
      await pipeline(answer.body, openEventStream(request, reply)).catch(() => undefined)
    })
  }
}

function isStream({ statusCode, headers }: Dispatcher.ResponseData<unknown>): boolean {
  return statusCode === 200 && String(headers['content-type']).startsWith('text/event-stream')
}

/** The request as it is handed on; given up when the client goes. */
function asked(request: Request, reply: Reply) {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  return {
    method: request.method as (typeof methods)[number], // one of those that the routes take
    path: request.url,
    headers: handedOn(request),
    body: request.body instanceof Buffer ? request.body : null,
    // Reads are answered soon, and go to the next replica.
    headersTimeout: request.method === 'GET' ? answerMs : beginMs,
    bodyTimeout: pauseMs,
    signal: gone.signal,
  }
}

type Asked = Parameters<ReturnType<Upstream['inTurn']>[number]['pool']['request']>[0]

/** Asks the replicas in turn until one begins to answer; one that may have taken the request is the last. */
async function begin(upstream: Upstream, variable: string, asked: Asked) {
  let failure: PlatformError | undefined
  for (const replica of upstream.inTurn()) {
    try {
      return await replica.pool.request(asked)
    } catch (error) {
      failure = forwardError(replica, asked.method, error)
      if (failure.code === 'OUTCOME_UNKNOWN') throw failure
    }
  }
  throw failure ?? new PlatformError('UNAVAILABLE', `nothing here serves this path, and ${variable} names nobody`)
}
