import { openDatabase, startWakeUps } from '@headrace/database'
import { openLogElsewhere } from '@headrace/station'
import { postgresElsewhere, postgresTransport, type Transport } from '@headrace/transport'
import type { Base } from './base.ts'
import type { ProcessNeeds } from './start.ts'
import { databaseUrlOf, producerOf, urlsElsewhere } from './stations.ts'

/** The logs that a process reads as carriers: those of its own databases, and of producers with one of their own. */
export interface Logs extends AsyncDisposable {
  /** The log that holds a topic, for a consumer whose database is at `ownUrl`. */
  carrierOf(topic: string, ownUrl: string | undefined): Transport
}

/** Connections to a database that is only read. */
const readerConnections = 3

/** Opens the logs. Producers' databases must be there at the start, as one's own. */
export async function openLogs(bases: readonly Base[], needs: ProcessNeeds): Promise<Logs> {
  await using stack = new AsyncDisposableStack()
  const { settings, selection, onError } = needs
  const own = new Map<string | undefined, Transport>()
  const elsewhere = new Map<string | undefined, Transport>()
  for (const { place, log, database, wakeUps } of bases) {
    own.set(place.url, stack.use(postgresTransport(log)))
    if (bases.length === 1) continue
    const reading = stack.use(await openLogElsewhere({ database, wakeUps, onError }))
    elsewhere.set(place.url, stack.use(postgresElsewhere(reading)))
  }
  for (const url of urlsElsewhere(selection.stations, settings)) {
    const connection = { url, maxConnections: readerConnections, onError: (error: Error) => onError(error, 'database') }
    const database = stack.use(openDatabase(connection))
    const wakeUps = stack.use(startWakeUps(connection))
    const reading = stack.use(await openLogElsewhere({ database, wakeUps, onError }))
    elsewhere.set(url, stack.use(postgresElsewhere(reading)))
  }
  const parts = stack.move()
  return {
    carrierOf(topic, ownUrl) {
      const producer = producerOf(topic, settings)
      const url = producer === undefined ? ownUrl : databaseUrlOf(producer, settings)
      const carrier = url === ownUrl ? own.get(ownUrl) : elsewhere.get(url)
      if (carrier === undefined) throw new RangeError(`the log that holds the topic '${topic}' is not open here`)
      return carrier
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}
