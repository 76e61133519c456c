import { type Live, startLive } from '@headrace/live'
import type { CalculatorContext } from './context.ts'
import type { Dispatcher } from './orchestrator/dispatcher.ts'
import { type ReadyBell, readyBell } from './ready-bell.ts'

/** What the roles of one process share. */
export interface Parts {
  readonly bell: ReadyBell
  /** Streams for one role, which stops them. */
  startLive(): Live
  /** True where a stream is open in this process, or may be in another. */
  mayBeWatched(): boolean
  /** The orchestrator of this process, once it runs. */
  dispatcher?: { readonly dispatcher: Dispatcher; readonly isInstant: boolean }
}

/** Parts of a process that has a database. */
export function calculatorParts({ stations, onError, metrics }: CalculatorContext): Parts {
  const { database, pubsub, wakeUps } = stations.calculator
  const streams: Live[] = []
  return {
    bell: readyBell(wakeUps),
    startLive() {
      const live = startLive({ database, pubsub, onError, metrics })
      streams.push(live)
      return live
    },
    mayBeWatched: () => !wakeUps.isAlone || streams.some(({ connections }) => connections > 0),
  }
}
