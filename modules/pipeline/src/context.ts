import type { Database, WakeUps } from '@headrace/database'
import type { App } from '@headrace/http-kit'
import type { Membership } from '@headrace/inbox'
import type { Log } from '@headrace/log'
import type { FaultPoints, Logger, Metrics, OnBackgroundError } from '@headrace/runtime'
import type { Durability, MemoryTransport, Transport } from '@headrace/transport'
import type { PipelineOffers, PipelineSettings } from './contract.ts'

/** Where a message stands in the log. */
export interface LogPlace {
  readonly partition: number
  readonly offset: number
}

/** How a provider is, and how far it is with the topic. */
export interface ProviderStatus {
  readonly provider: string
  readonly healthy: boolean
  readonly size: number
  readonly published: number
  readonly failed: number
  readonly lag: number
}

/** What carries the log to the providers in use. */
export interface QueueCarriage {
  /** Every carrier that may hold messages of a topic. */
  carriers(topic: string): readonly Transport[]
  /** Starts to carry what is appended to a declared topic. */
  relay(topic: string): Promise<void>
  status(topic: string): Promise<readonly ProviderStatus[]>
  /** Those of the providers in use that are known to be away. */
  away(topic: string): readonly string[]
  /** Those that what is accepted now reaches later. */
  lagging(topic: string): readonly string[]
  /** Waits until all or any of the providers have the messages, or the signal aborts; returns those that do not. */
  confirm(
    topic: string,
    places: readonly LogPlace[],
    options: { readonly mode: 'all' | 'any'; readonly signal: AbortSignal },
  ): Promise<readonly string[]>
  /** The providers in use. */
  readonly inUse: readonly Transport[]
}

/** Through the log, which is carried to the providers in use. */
export interface LogQueue {
  readonly type: 'log'
  readonly carriage: QueueCarriage
  readonly isComposite: boolean
  /** Who must have a message before it counts as accepted; absent: the log alone. */
  readonly waitsFor?: 'all' | 'any'
  /** What a message survives that counts as accepted. */
  readonly durability: Durability
}

/** What carries the pipeline's messages in this process. */
export type PipelineQueue =
  | LogQueue
  /** Within this process, which runs the processor, too. What an earlier setting left elsewhere is still carried. */
  | { readonly type: 'memory'; readonly transport: MemoryTransport; readonly carriage: QueueCarriage }
  /** In the memory of the process that runs the processor; handed over by HTTP. */
  | { readonly type: 'remote-memory' }

/** Where routes are added; undefined where nobody listens in this process. */
export interface PipelineSurfaces {
  readonly ingest: App | undefined
  readonly processor: App | undefined
  readonly internal: App
}

/** What this module needs of the process that runs it. */
export interface PipelineContext {
  readonly settings: PipelineSettings
  readonly database: Database
  readonly wakeUps: WakeUps
  readonly log: Log
  readonly membership: Membership
  readonly pipelineQueue: PipelineQueue
  readonly surfaces: PipelineSurfaces
  /** Filled by roles as they start, in the order of the catalogue. */
  readonly offers: PipelineOffers
  /** Bearer token for the internal routes of other processes. */
  readonly internalToken?: string
  readonly metrics: Metrics
  readonly logger: Logger
  readonly faults: FaultPoints
  readonly onError: OnBackgroundError
}
