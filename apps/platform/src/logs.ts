import { openDatabase, startWakeUps } from '@headrace/database'
import { type LogElsewhereNeeds, startLogElsewhere } from '@headrace/station'
import { postgresElsewhere, postgresTransport, type Transport } from '@headrace/transport'
import type { Base } from './base.ts'
import type { PlatformContext } from './context.ts'
import type { ProcessNeeds } from './start.ts'
import { databaseUrlOf, producerOf } from './stations.ts'

/** The logs that a process reads as carriers: those of its own databases, and of producers with one of their own. */
export interface Logs extends AsyncDisposable {
  /** The log of a database as its own carrier. */
  ownOf(url: string | undefined): Transport
  /** The log that holds a topic, for a consumer whose database is at `ownUrl`. It is opened with its first consumer. */
  carrierOf(topic: string, ownUrl: string | undefined): Transport
}

/** Connections to a database that is only read. */
const readerConnections = 3

/** The logs of these databases, and of producers elsewhere; those may be away, and are probed once they are read. */
export function openLogs(bases: readonly Base[], needs: ProcessNeeds, probes: PlatformContext['probes']): Logs {
  const { settings, onError } = needs
  const parts = new AsyncDisposableStack()
  const elsewhere = new Map<string | undefined, Transport>()
  const own = new Map(bases.map(({ place, log }) => [place.url, parts.use(postgresTransport(log))]))

  function connect(url: string | undefined): Pick<LogElsewhereNeeds, 'database' | 'wakeUps'> {
    const base = bases.find(({ place }) => place.url === url)
    if (base !== undefined) return base
    if (url === undefined) throw new RangeError('the embedded database belongs to another process')
    const connection = { url, maxConnections: readerConnections, onError: (error: Error) => onError(error, 'database') }
    return { database: parts.use(openDatabase(connection)), wakeUps: parts.use(startWakeUps(connection)) }
  }

  function openElsewhere(producer: string, url: string | undefined): Transport {
    const carrier = parts.use(postgresElsewhere(parts.use(startLogElsewhere({ ...connect(url), onError }))))
    elsewhere.set(url, carrier)
    if (!own.has(url)) probes[`broker:${producer}`] = (signal) => carrier.probe(signal)
    return carrier
  }

  function ownOf(url: string | undefined): Transport {
    const carrier = own.get(url)
    if (carrier === undefined) throw new RangeError('the log of this database is not open here')
    return carrier
  }

  return {
    ownOf,
    carrierOf(topic, ownUrl) {
      const producer = producerOf(topic, settings)
      const url = producer === undefined ? ownUrl : databaseUrlOf(producer, settings)
      if (producer === undefined || url === ownUrl) return ownOf(url)
      return elsewhere.get(url) ?? openElsewhere(producer, url)
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}
