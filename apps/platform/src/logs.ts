import { openDatabase, sqlState, startWakeUps } from '@headrace/database'
import { hasCode, sleep } from '@headrace/runtime'
import { openLogElsewhere } from '@headrace/station'
import { postgresElsewhere, postgresTransport, type Transport } from '@headrace/transport'
import type { Base } from './base.ts'
import type { ProcessNeeds } from './start.ts'
import { databaseUrlOf, producerOf, urlsElsewhere } from './stations.ts'

/** The logs that a process reads as carriers: those of its own databases, and of producers with one of their own. */
export interface Logs extends AsyncDisposable {
  /** The log of a database as its own carrier. */
  ownOf(url: string | undefined): Transport
  /** The log that holds a topic, for a consumer whose database is at `ownUrl`. */
  carrierOf(topic: string, ownUrl: string | undefined): Transport
}

/** Longest wait in ms for a log in another database, and between two looks for it. */
const awayMs = 60_000
const lookMs = 250
/** What is asked for is not there: a table, a schema. */
const notMade = ['42P01', '3F000']

/** Connections to a database that is only read. */
const readerConnections = 3

/** Opens the logs. Producers that start at the same time are given a while to make theirs. */
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
    const reading = stack.use(await onceMade(() => openLogElsewhere({ database, wakeUps, onError }), needs))
    elsewhere.set(url, stack.use(postgresElsewhere(reading)))
  }
  const parts = stack.move()
  const ownOf = (url: string | undefined) => {
    const carrier = own.get(url)
    if (carrier === undefined) throw new RangeError('the log of this database is not open here')
    return carrier
  }
  return {
    ownOf,
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

/** Opens what another process may be about to make: everything is started at once, in any order. */
async function onceMade<T>(open: () => Promise<T>, { logger }: ProcessNeeds): Promise<T> {
  const giveUpAt = performance.now() + awayMs
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await open()
    } catch (error) {
      const isComing = hasCode(error, 'DATABASE_UNAVAILABLE') || notMade.includes(sqlState(error) ?? '')
      if (!isComing || performance.now() > giveUpAt) throw error
      if (attempt === 1) logger.warn('waiting for the log in another database', { error })
      await sleep(lookMs)
    }
  }
}
