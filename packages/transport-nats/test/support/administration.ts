import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'

/** What people do to a server with other tools: look at streams, delete them, publish and subscribe without us. */
export interface Administration extends AsyncDisposable {
  readonly connection: NatsConnection
  readonly manager: JetStreamManager
  /** Deletes a stream and makes it again, empty. */
  recreate(stream: string): Promise<void>
}

/** Connects to `host:port`. */
export async function administer(address: string): Promise<Administration> {
  // What was written to a server that then died must not be sent to the next one, or a loss would go unnoticed.
  const connection = await connect({ servers: address.split(','), reconnect: false })
  const manager = await jetstreamManager(connection)
  return {
    connection,
    manager,
    async recreate(stream) {
      const { config } = await manager.streams.info(stream)
      await manager.streams.delete(stream)
      await manager.streams.add(config)
    },
    [Symbol.asyncDispose]: () => connection.close(),
  }
}
