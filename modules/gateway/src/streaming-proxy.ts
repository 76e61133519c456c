import type { App } from '@headrace/http-kit'
import { PlatformError } from '@headrace/runtime'
import { forwardError, handedOn, passed } from './proxy.ts'
import type { RemotePath } from './remote-modules.ts'
import type { Upstream } from './upstream.ts'

/** Longest time until an answer begins, in ms: longer than what a module waits for its workers. */
const beginMs = 60_000
/** Longest pause within an answer, in ms; streams show a sign of life every 15 s. */
const pauseMs = 60_000

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** Adds paths whose requests are handed on as they are, and whose answers are passed back as they arrive. */
export function addRemotePaths(app: App, paths: readonly RemotePath[], variable: string, upstream: Upstream): void {
  void app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) => parsed(null, body))
    for (const { path, access, stream } of paths) {
      scope.route({
        method: [...methods],
        url: path,
        config: { access, ...(stream === true && { stream: 'elsewhere' as const }) },
        // Described by the module itself.
        schema: { hide: true },
        handler: async (request, reply) => {
          const gone = new AbortController()
          reply.raw.once('close', () => gone.abort())
          const answer = await begin(upstream, variable, {
            method: request.method as (typeof methods)[number],
            path: request.url,
            headers: handedOn(request),
            body: request.body instanceof Buffer ? request.body : null,
            headersTimeout: beginMs,
            bodyTimeout: pauseMs,
            signal: gone.signal,
          })
          return reply.code(answer.statusCode).headers(passed(answer.headers)).send(answer.body)
        },
      })
    }
    done()
  })
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
