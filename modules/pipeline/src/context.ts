import type { Database, WakeUps } from '@headrace/database'
import type { App } from '@headrace/http-kit'
import type { Membership } from '@headrace/inbox'
import type { Log } from '@headrace/log'
import type { FaultPoints, Logger, Metrics, OnBackgroundError } from '@headrace/runtime'
import type { MemoryTransport, Transport } from '@headrace/transport'
import type { PipelineOffers, PipelineSettings } from './contract.ts'

/** What carries the pipeline's messages in this process. */
export type PipelineQueue =
  /** Through the log; every carrier that may hold messages is read. */
  | { readonly type: 'log'; readonly carriers: readonly Transport[] }
  /** Within this process, which runs the processor, too. */
  | { readonly type: 'memory'; readonly transport: MemoryTransport; readonly carriers: readonly Transport[] }
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
