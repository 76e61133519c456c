import { randomBytes } from 'node:crypto'
import { availableParallelism, hostname } from 'node:os'
import type { Running } from '@headrace/runtime'
import { startBrokerWorker } from '../broker/worker.ts'
import type { CalculatorContext } from '../context.ts'
import type { Parts } from '../parts.ts'
import { httpLink } from './http-link.ts'
import { localLink } from './local-link.ts'
import { startWorker } from './worker.ts'

/**
 * Starts the role that computes. It is fed by the carrier in use, or pulls from the orchestrator of this process where there is one, else over HTTP, and
 * then needs no database.
 */
export async function startWorkerRole(context: CalculatorContext, parts: Parts | undefined): Promise<Running> {
  const { settings, internalToken, onError } = context
  const worker = workerName()
  const power = settings.COMPUTING_POWER ?? availableParallelism()
  if (settings.CALCULATOR_WORKERS === 'broker') {
    return startBrokerWorker({ station: context.stations.calculator, worker, power })
  }
  const local = parts?.dispatcher
  const remote = { url: settings.ORCHESTRATOR_URL, worker, ...(internalToken !== undefined && { internalToken }) }
  return startWorker({
    link: local === undefined ? httpLink(remote) : localLink(local, worker),
    power,
    onError,
  })
}

/** Tells workers apart: the machine, the process, and which of its workers. */
function workerName(): string {
  const host = hostname()
    .replaceAll(/[^\x21-\x7e]/g, '-')
    .slice(0, 60)
  return `${host}:${process.pid}:${randomBytes(2).toString('hex')}`
}
