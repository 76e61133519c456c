// The same through @headrace/live: each event is committed, numbered and can be resumed from.
import { databaseMigrations, migrate, openDatabase } from '@headrace/database'
import { createHttpServer } from '@headrace/http-kit'
import { memoryPubSub } from '@headrace/keyvalue'
import { liveMigrations, startLive } from '@headrace/live'
import { nullLogger } from '@headrace/runtime'
import { data, serve } from './server.ts'

const onError = (error: unknown) => process.stderr.write(`${error}\n`)
const database = openDatabase({ url: process.argv[2] ?? '', maxConnections: 4 })
await migrate(database, [databaseMigrations, liveMigrations])
const live = startLive({ database, pubsub: memoryPubSub({ onError }), onError })
const limits = { connections: 50_000 }
const server = await createHttpServer({ name: 'bench', logger: nullLogger, limits })
server.app.get('/stream/:subject', { config: { access: 'public', stream: true } }, (request, reply) => {
  const { subject } = request.params as { readonly subject: string }
  return live.stream(request, reply, { subject, snapshot: async () => ({}) })
})
const { port } = await server.listen({ port: 0, variable: 'PORT' })
serve(port, async (subject, events) => {
  // One transaction an event, several at once, as requests of several users are.
  const publishOne = () => database.inTransaction((tx) => live.publish(tx, { subject, event: 'order-update', data }))
  await Promise.all(Array.from({ length: events }, publishOne))
})
