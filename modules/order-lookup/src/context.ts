import type { App } from '@headrace/http-kit'
import type { Logger, Metrics, OnBackgroundError } from '@headrace/runtime'
import type { Station } from '@headrace/station'
import type { OrderLookupSettings } from './contract.ts'

/** What this module needs of the process that runs it. */
export interface OrderLookupContext {
  readonly settings: OrderLookupSettings
  readonly stations: { readonly orderLookup: Station }
  readonly surfaces: {
    /** The gateway's port, or this process's own. */
    readonly public: App | undefined
    /** Also for people who follow an older walkthrough. */
    readonly orderLookup?: App | undefined
    /** Where people look first. */
    readonly console?: App | undefined
    readonly internal: App
  }
  readonly metrics: Metrics
  readonly logger: Logger
  readonly onError: OnBackgroundError
}
