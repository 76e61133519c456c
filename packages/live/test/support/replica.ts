import { type Database, databaseMigrations, migrate, openDatabase } from '@headrace/database'
import { createHttpServer } from '@headrace/http-kit'
import { memoryPubSub, type PubSub } from '@headrace/keyvalue'
import { createMetrics, type Metrics, nullLogger } from '@headrace/runtime'
import { type Live, type LiveOptions, liveMigrations, startLive } from '../../src/index.ts'

/** What makes the live streams of a replica; another is given to see a mutant fail. */
export type StartLive = typeof startLive

export interface ReplicaOptions extends LiveOptions {
  /** The database's address. */
  readonly url: string
  /** Shared by the replicas that hear each other; one of its own unless given. */
  readonly pubsub?: PubSub
  readonly start?: StartLive
  /** What the streams read through; the database itself unless given. */
  readonly through?: (database: Database) => Pick<Database, 'query'>
  /** Told how many connections the server has, when one comes or goes. */
  readonly onConnections?: (count: number) => void
  /** The present state of a subject. */
  readonly snapshot?: (subject: string) => Promise<unknown>
}

/** A process that publishes and serves streams at `/stream/<subject>`. */
export interface Replica extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly database: Database
  readonly live: Live
  readonly metrics: Metrics
  readonly errors: readonly unknown[]
  /** Publishes events in a transaction of their own, each numbered by its data's `n`. */
  publish(subject: string, ...numbers: readonly number[]): Promise<void>
  stopServer(): Promise<void>
}

/** Starts a replica on a migrated database. */
export async function startReplica(options: ReplicaOptions): Promise<Replica> {
  await using stack = new AsyncDisposableStack()
  const errors: unknown[] = []
  const onError = (error: unknown) => errors.push(error)
  const database = stack.use(openDatabase({ url: options.url, maxConnections: 4, onError }))
  const pubsub = options.pubsub ?? memoryPubSub({ onError })
  const metrics = createMetrics()
  const read = options.through?.(database) ?? database
  const live = stack.use((options.start ?? startLive)({ database: read, pubsub, onError, metrics }, options))
  const server = stack.use(await createHttpServer({ name: 'replica', logger: nullLogger }))
  server.app.get('/stream/:subject', { config: { access: 'public', stream: true } }, (request, reply) => {
    const { subject } = request.params as { readonly subject: string }
    const snapshot = async () => (await options.snapshot?.(subject)) ?? { subject }
    return live.stream(request, reply, { subject, snapshot })
  })
  server.app.server.on('connection', (socket) => {
    options.onConnections?.(server.connections)
    socket.once('close', () => setImmediate(() => options.onConnections?.(server.connections)))
  })
  const { url, port } = await server.listen({ port: 0, variable: 'PORT' })
  const parts = stack.move()
  return {
    url,
    port,
    database,
    live,
    metrics,
    errors,
    publish: (subject, ...numbers) =>
      database.inTransaction((tx) => {
        for (const n of numbers) live.publish(tx, { subject, event: 'update', data: { n } })
      }),
    stopServer: () => server.stop(),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

/** Applies the migrations that streams need. */
export async function migrateLive(url: string): Promise<void> {
  await using database = openDatabase({ url, maxConnections: 1 })
  await migrate(database, [databaseMigrations, liveMigrations])
}
