import { randomUUID } from 'node:crypto'
import type { Live } from '@headrace/live'
import type { Log, LogTransaction } from '@headrace/log'
import { Bell, type OnBackgroundError, type Running, startLoop } from '@headrace/runtime'
import { publishChanges } from '../events.ts'
import { workerTask } from '../orchestrator/worker-task.ts'
import type { ReadyBell } from '../ready-bell.ts'
import { type ClaimedTask, claimTasks, countLeased, type LeaseTimes } from '../store/tasks.ts'
import { workMessage } from './messages.ts'

export interface PublisherNeeds {
  readonly log: Pick<Log, 'inTransaction'>
  readonly live: Pick<Live, 'publish'>
  readonly bell: ReadyBell
  readonly times: LeaseTimes
  /** How long a published task may wait for a worker before it is published again, in ms. */
  readonly startMs: number
  readonly onError: OnBackgroundError
}

/** What a ring that was lost costs at most, in ms. */
const lookMs = 500

/** Tasks that wait for workers on the carrier: many where they take no time. */
const mostInstant = 256

/** Where they take time, so many beyond those that are being computed: what waits too long is published again. */
const ahead = 4

/** Publishes ready tasks, each under a lease for starting it. */
export function startPublisher(needs: PublisherNeeds): Running {
  const { bell, onError } = needs
  const rung = new Bell()
  const endListening = bell.listen(() => rung.ring())
  const loop = startLoop({
    name: 'calculator publisher',
    async run(signal) {
      const published = await publish(needs)
      if (published === 0) await rung.wait(lookMs, signal)
    },
    onError,
  })
  const stop = async () => {
    endListening()
    await loop.stop()
  }
  return { stop, [Symbol.asyncDispose]: stop }
}

function publish({ log, live, times, startMs }: PublisherNeeds): Promise<number> {
  const isInstant = Object.values(times.operationMs).every((ms) => ms === 0)
  return log.inTransaction(async (tx) => {
    const { started, offered } = await countLeased(tx)
    const room = (isInstant ? mostInstant : started + ahead) - offered
    if (room <= 0) return 0
    const slots = Array.from({ length: room }, () => ({ worker: null, lease: randomUUID() }))
    const claimed = await claimTasks(tx, slots, { ...times, leaseMs: startMs, isStarted: false })
    append(tx, claimed, times)
    await publishChanges(tx, live)
    return claimed.length
  })
}

function append(tx: LogTransaction, claimed: readonly ClaimedTask[], times: LeaseTimes): void {
  for (const task of claimed) tx.append(workMessage(workerTask(task, times), task.expressionId))
}
