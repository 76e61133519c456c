import type { App } from '@headrace/http-kit'
import type { FaultPoints, Logger, Metrics, OnBackgroundError } from '@headrace/runtime'
import type { Station } from '@headrace/station'
import type { OrderIntakeSettings } from './contract.ts'

interface CommonContext {
  readonly settings: OrderIntakeSettings & { readonly MESSAGE_LIMIT_BYTES: number }
  readonly metrics: Metrics
  readonly logger: Logger
  readonly faults: FaultPoints
  readonly onError: OnBackgroundError
}

/** What the api needs of the process that runs it. */
export interface OrderIntakeApiContext extends CommonContext {
  readonly stations: { readonly orderIntakeApi: Station }
  /** The gateway's port, or this process's own. */
  readonly surfaces: { readonly public: App | undefined }
}

/** What the worker needs of the process that runs it. */
export interface OrderIntakeWorkerContext extends CommonContext {
  readonly stations: { readonly orderIntakeWorker: Station }
}

/** What both need. */
export interface OrderIntakeContext extends OrderIntakeApiContext, OrderIntakeWorkerContext {
  readonly stations: { readonly orderIntakeApi: Station; readonly orderIntakeWorker: Station }
}
