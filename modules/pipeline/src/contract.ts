import type { App } from '@headrace/http-kit'
import {
  bytes,
  defineSettings,
  durationMs,
  integer,
  list,
  oneOf,
  type Setting,
  type SettingsOf,
  text,
} from '@headrace/runtime'
import type { MessageState } from './domain/message-status.ts'

export type { DataMessage } from './domain/data-message.ts'
export type { MessageState } from './domain/message-status.ts'
export type { ProcessMessage } from './handlers/registered-function.ts'
export { ingestSchema, ingestStatsShape, messageSchema, processorStatsShape } from './http-shapes.ts'

/** A comma list of base addresses over HTTP. */
export function addresses(options: {
  readonly default: readonly string[]
  readonly doc: string
}): Setting<readonly string[]> {
  const texts = list(options)
  const isAddress = (text: string) => /^https?:\/\//.test(text) && URL.canParse(text)
  return {
    ...texts,
    expects: 'a comma list of URLs (http://… or https://…), none twice',
    parse(text) {
      const found = texts.parse(text)
      return found?.every(isAddress) ? found : undefined
    },
  }
}

/** The variables of this module. */
export const pipelineSettings = defineSettings({
  KAFKA_TOPIC: text({ default: 'diplom-messages', doc: 'The topic of the pipeline’s messages, on every carrier.' }),
  KAFKA_CONSUMER_GROUP: text({ default: 'processor-group', doc: 'The group of the processors, on every carrier.' }),
  QUEUE_ENCODING: oneOf(['json', 'protobuf'], {
    default: 'json',
    doc: 'How messages are written on the queue; both are read.',
  }),
  QUEUE_SIZE: integer({
    default: 1000,
    min: 1,
    doc: 'Most messages in the queue with QUEUE_TYPE=memory; beyond it requests are answered 503 queue_full.',
  }),
  QUEUE_MAX_BACKLOG: integer({
    default: 10_000_000,
    min: 1,
    doc: 'Most messages that are accepted and not yet processed; beyond it requests are answered 503 queue_full.',
  }),
  MESSAGE_LIMIT_BYTES: bytes({
    default: 921_600,
    min: 1024,
    max: 64 * 1024 * 1024,
    doc: 'Largest message in bytes as encoded with its headers, the payload counted as base64; what brokers take by default.',
  }),
  LOG_RETENTION_MS: durationMs({
    default: 86_400_000,
    min: 60_000,
    doc: 'Messages and their results are kept at least so long, in ms.',
  }),
  INGEST_CONFIRM: oneOf(['log', 'broker'], {
    default: 'log',
    doc: 'When a message is answered: log = once it is on durable storage here; broker = once the broker has it, too.',
  }),
  INGEST_CONFIRM_TIMEOUT_MS: durationMs({
    default: 5_000,
    min: 1,
    doc: 'Longest wait for brokers in ms; then the answer is 503 outcome_unknown, and the message is processed all the same.',
  }),
  INGEST_MAX_IN_FLIGHT: integer({
    default: 4096,
    min: 1,
    doc: 'Most requests to ingest at a time; beyond it they are answered 503 queue_full before their bodies are read.',
  }),
  PROCESSOR_WORKERS: integer({
    default: 4,
    min: 1,
    max: 1024,
    doc: 'Batches (built-in processor) or messages (PROCESSOR_FUNCTION) at a time.',
  }),
  PROCESSOR_FUNCTION: text({
    doc: 'Path of a module that exports processMessage(message, { signal }), which returns the result as a text or bytes; unset = the built-in processor.',
  }),
  PROCESSOR_MAX_ATTEMPTS: integer({ default: 10, min: 1, max: 1000, doc: 'Attempts before a message is set aside.' }),
  PROCESSOR_TIMEOUT_MS: durationMs({
    default: 60_000,
    min: 1,
    doc: 'Longest time for one message of PROCESSOR_FUNCTION, in ms.',
  }),
  PROCESSOR_URL: addresses({
    default: ['http://localhost:8082'],
    doc: 'Where the processor answers when it runs in another process; several are a comma list.',
  }),
})

export type PipelineSettings = SettingsOf<typeof pipelineSettings>

/** Since the process started: `TotalReceived = TotalSent + TotalFailed`. */
export interface IngestStats {
  readonly TotalReceived: number
  readonly TotalSent: number
  readonly TotalFailed: number
}

/** How far a provider is. */
export interface ProviderStats {
  readonly healthy: boolean
  /** Messages that are not processed yet. */
  readonly size: number
  /** Messages that it has confirmed, and tries that failed. */
  readonly published: number
  readonly failed: number
  /** Messages that it does not have yet. */
  readonly lag: number
}

export interface ProcessorStats {
  /** `size`: accepted and not yet processed. */
  readonly queue: {
    readonly size: number
    readonly capacity: number
    /** With a composite: each provider by its name, and `total`. */
    readonly composite_stats?: Readonly<Record<string, ProviderStats>>
  }
  /** Since the process started; `errors` are failed attempts. */
  readonly pool: { readonly processed: number; readonly errors: number; readonly workers: number }
}

/** What became of a message. */
export interface MessageView {
  readonly messageId: string
  readonly status: MessageState
  readonly attempts: number
  /** The result, as text when it is UTF-8, else as base64. */
  readonly result?: string
  readonly encoding?: 'base64'
  readonly error?: string
  readonly accepted_at: string
  readonly processed_at?: string
}

/** What another module of the same process may use of ingest. */
export interface IngestOffer {
  /** Adds the route that accepts messages, at this path. */
  addIngestRoute(app: App, path: string): void
  stats(): IngestStats
}

/** What another module of the same process may use of the processor. */
export interface ProcessorOffer {
  stats(): Promise<ProcessorStats>
}

/** Reading messages, offered by whichever role of the pipeline runs. */
export interface MessagesOffer {
  /** Adds `GET <path>/:messageId`. */
  addMessageRoute(app: App, path: string): void
}

/** What the pipeline offers to other modules of its process, by name. */
export interface PipelineOffers {
  'pipeline.ingest'?: IngestOffer
  'pipeline.processor'?: ProcessorOffer
  'pipeline.messages'?: MessagesOffer
}
