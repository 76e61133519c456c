import type { Log } from '@headrace/log'
import type { PipelineContext } from '@headrace/pipeline/module'
import { memoryTransport, postgresTransport, type Transport } from '@headrace/transport'
import type { PlatformSettings } from './settings.ts'

type PipelineQueue = PipelineContext['pipelineQueue']

/** What carries messages in a process. */
export interface Queue {
  readonly pipeline: PipelineQueue
  /** Everything that may hold messages; the first is the one that is written to. */
  readonly carriers: readonly Transport[]
  stop(): Promise<void>
}

/** Makes the carriers that the settings ask for. With memory, what an earlier setting left in the log is still read. */
export function openQueue(settings: PlatformSettings, log: Log, runsProcessor: boolean): Queue {
  const postgres = postgresTransport(log)
  if (settings.QUEUE_TYPE === 'postgres') return queueOf({ type: 'log', carriers: [postgres] }, [postgres])
  if (!runsProcessor) return queueOf({ type: 'remote-memory' }, [postgres])
  const memory = memoryTransport({ maxMessages: settings.QUEUE_SIZE, messageLimitBytes: settings.MESSAGE_LIMIT_BYTES })
  const carriers = [memory, postgres]
  return queueOf({ type: 'memory', transport: memory, carriers }, carriers)
}

function queueOf(pipeline: PipelineQueue, carriers: readonly Transport[]): Queue {
  return {
    pipeline,
    carriers,
    async stop() {
      await Promise.all(carriers.map((carrier) => carrier.stop()))
    },
  }
}
