import { randomUUID } from 'node:crypto'
import type { WakeUps } from '@headrace/database'

/** Tells every orchestrator that there may be ready tasks. A ring may be lost; whoever waits also looks by itself. */
export interface ReadyBell {
  /** Rings in this process at once, and in others within milliseconds. */
  ring(): void
  /** Rings in other processes only. */
  ringOthers(): void
  listen(rung: () => void): () => void
}

const channel = 'calculator_ready'

/** A bell on the wake-up connection. */
export function readyBell(wakeUps: Pick<WakeUps, 'listen' | 'notify' | 'isAlone'>): ReadyBell {
  const own = randomUUID()
  const listeners = new Set<() => void>()
  const ringOthers = () => {
    if (!wakeUps.isAlone) wakeUps.notify(channel, own)
  }
  return {
    ring() {
      for (const rung of listeners) rung()
      ringOthers()
    },
    ringOthers,
    listen(rung) {
      listeners.add(rung)
      const endOthers = wakeUps.listen(channel, (from) => {
        if (from !== own) rung()
      })
      return () => {
        listeners.delete(rung)
        endOthers()
      }
    },
  }
}
