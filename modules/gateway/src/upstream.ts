import { type Dispatcher, Pool } from 'undici'

/** Longest time until a replica answers, in ms: longer than it takes to settle a lost commit. */
export const answerMs = 15_000
/** Longest time until a connection stands, in ms. */
const connectMs = 2_000

/** One replica of a part that runs in another process. */
export interface Replica {
  readonly url: string
  readonly pool: Pool
}

/** A part that runs in other processes. */
export interface Upstream {
  /** The replicas, beginning with the one whose turn it is. */
  inTurn(): readonly Replica[]
  /** Ends what is still under way: whoever asked has gone by then. */
  close(): Promise<void>
}

/**
 * Connects to replicas when first used. Every request that waits has a connection to itself, so that none queues behind
 * others and its time limit runs from the beginning; there are as many as callers, whom the server bounds.
 */
export function upstream(urls: readonly string[]): Upstream {
  const replicas = urls.map((url): Replica => {
    const { origin } = new URL(url)
    return { url: origin, pool: new Pool(origin, { connections: null, connect: { timeout: connectMs } }) }
  })
  let turn = 0
  return {
    inTurn() {
      turn = (turn + 1) % replicas.length
      return [...replicas.slice(turn), ...replicas.slice(0, turn)]
    },
    async close() {
      await Promise.all(replicas.map(({ pool }) => pool.destroy()))
    },
  }
}

export interface UpstreamRequest {
  readonly method: Dispatcher.HttpMethod
  readonly path: string
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: Buffer | undefined
  /** Default 15 000. */
  readonly timeoutMs?: number
}

export interface UpstreamAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** Asks one replica and reads its answer whole. Rejects with what the client throws: see `wasNeverSent`. */
export async function askReplica({ pool }: Replica, request: UpstreamRequest): Promise<UpstreamAnswer> {
  const { method, path, headers = {}, body, timeoutMs = answerMs } = request
  const limits = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs }
  const answer = await pool.request({ method, path, headers, body: body ?? null, ...limits })
  return { status: answer.statusCode, headers: answer.headers, body: Buffer.from(await answer.body.arrayBuffer()) }
}

const connectErrors = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]

/** Tells whether a request failed before anything of it was sent. */
export function wasNeverSent(error: unknown): boolean {
  // A name with several addresses fails with one error for each.
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.every(wasNeverSent)
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && connectErrors.includes(code)
}
