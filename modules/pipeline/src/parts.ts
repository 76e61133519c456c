import { randomFillSync } from 'node:crypto'
import type { Running } from '@headrace/runtime'
import { type Backlog, backlog } from './backlog.ts'
import type { LogQueue, PipelineContext, PipelineQueue } from './context.ts'
import type { MessagesOffer } from './contract.ts'
import { messageIds } from './domain/message-ids.ts'
import { gatherSizes } from './gather-sizes.ts'
import { confirmedIntake } from './intake/confirmed-intake.ts'
import type { Intake } from './intake/intake.ts'
import { withKeys } from './intake/keyed-intake.ts'
import { logIntake } from './intake/log-intake.ts'
import { memoryIntake } from './intake/memory-intake.ts'
import { remoteIntake } from './intake/remote-intake.ts'
import { viewMessage } from './message-view.ts'
import { type PendingMessages, pendingMessages } from './pending-messages.ts'
import { type KeyedAccepting, keyedAccepting } from './routes/accepting.ts'
import { addMessageRoute } from './routes/messages.ts'
import { ownerHeader, queueMessages, type ToQueueMessage } from './wire/queue-message.ts'

/** What both roles of the module use in one process. */
export interface PipelineParts extends Running {
  readonly intake: Intake
  readonly keyed: KeyedAccepting
  readonly backlog: Backlog
  readonly toQueueMessage: ToQueueMessage
  readonly newId: () => string
  readonly now: () => number
  readonly messages: MessagesOffer
  /** Providers that are away while a composite accepts all the same. */
  readonly lagging: () => readonly string[]
}

/** Makes the parts of a process. */
export function pipelineParts(context: PipelineContext): PipelineParts {
  const { settings, database, log, pipelineQueue: queue } = context
  const topic = settings.KAFKA_TOPIC
  const group = settings.KAFKA_CONSUMER_GROUP
  const capacity = queue.type === 'memory' ? settings.QUEUE_SIZE : settings.QUEUE_MAX_BACKLOG
  const pending = pendingMessages(Math.max(10_000, settings.QUEUE_SIZE))
  const waiting = backlog({ database, log, queue, topic, group, capacity })
  const { intake, close } = newIntake(context, waiting, pending)
  const newId = messageIds({ now: Date.now, fill: randomFillSync })
  const stop = async () => {
    await intake.drain()
    await close()
  }
  return {
    intake,
    keyed: keyedAccepting({ database, intake, backlog: waiting, newId }),
    backlog: waiting,
    toQueueMessage: queueMessages({ encoding: settings.QUEUE_ENCODING, limitBytes: settings.MESSAGE_LIMIT_BYTES }),
    newId,
    now: Date.now,
    lagging: isBestEffort(queue) ? () => queue.carriage.lagging(topic) : () => none,
    messages: {
      addMessageRoute: (app, path) =>
        addMessageRoute(app, path, (id) => viewMessage({ database, log, pending, topic, group }, id)),
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

const none: readonly string[] = []

function isBestEffort(queue: PipelineQueue): queue is LogQueue {
  return queue.type === 'log' && queue.isComposite && queue.waitsFor !== 'all'
}

interface ClosableIntake {
  readonly intake: Intake
  close(): Promise<void>
}

async function nothingToClose(): Promise<void> {}

function newIntake(context: PipelineContext, waiting: Backlog, pending: PendingMessages): ClosableIntake {
  const { settings, database, log, faults, metrics, pipelineQueue: queue, onError, internalToken } = context
  const topic = settings.KAFKA_TOPIC
  switch (queue.type) {
    case 'log': {
      const { durability, waitsFor } = queue
      const sizes = gatherSizes(metrics)
      const logged = logIntake({ database, log, topic, faults, gatherSizes: sizes, backlog: waiting, durability })
      if (waitsFor === undefined) return { intake: logged, close: nothingToClose }
      const timeoutMs = settings.INGEST_CONFIRM_TIMEOUT_MS
      const confirmed = { database, log, topic, queue, waitsFor, timeoutMs, onError }
      return { intake: confirmedIntake(logged, confirmed), close: nothingToClose }
    }
    case 'memory': {
      const inMemory = memoryIntake({ transport: queue.transport, topic, backlog: waiting })
      return { intake: withKeys(remembering(inMemory, pending), database, onError), close: nothingToClose }
    }
    case 'remote-memory': {
      const remote = remoteIntake({ urls: settings.PROCESSOR_URL, internalToken })
      return { intake: withKeys(remembering(remote, pending), database, onError), close: () => remote.close() }
    }
    default:
      return queue satisfies never
  }
}

/** Remembers what stands in no log. */
function remembering(intake: Intake, pending: PendingMessages): Intake {
  return {
    durability: intake.durability,
    async accept(item) {
      await intake.accept(item)
      const acceptedAtMs = Date.now()
      for (const { id, headers } of item.messages) pending.add(id, { acceptedAtMs, owner: headers[ownerHeader] })
    },
    drain: () => intake.drain(),
  }
}
