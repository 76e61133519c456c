import { type Live, startLive } from '@headrace/live'
import type { CalculatorContext } from './context.ts'
import type { Dispatcher } from './orchestrator/dispatcher.ts'
import { type ReadyBell, readyBell } from './ready-bell.ts'

/** What the roles of one process share. */
export interface Parts {
  readonly bell: ReadyBell
  /** Streams for one role, which stops them. */
  startLive(): Live
  /** The orchestrator of this process, once it runs. */
  dispatcher?: { readonly dispatcher: Dispatcher; readonly isInstant: boolean }
}

/** Parts of a process that has a database. */
export function calculatorParts({ stations, onError, metrics }: CalculatorContext): Parts {
  const { database, pubsub, wakeUps } = stations.calculator
  return { bell: readyBell(wakeUps), startLive: () => startLive({ database, pubsub, onError, metrics }) }
}
