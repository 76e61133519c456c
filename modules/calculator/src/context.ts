import type { App, Probe } from '@headrace/http-kit'
import type { Logger, Metrics, OnBackgroundError } from '@headrace/runtime'
import type { Station } from '@headrace/station'
import type { CalculatorSettings } from './contract.ts'

/** What this module needs of the process that runs it. */
export interface CalculatorContext {
  readonly settings: CalculatorSettings
  /** Not there where only a worker runs that pulls over HTTP. */
  readonly stations: { readonly calculator: Station }
  /** Where routes are added; undefined where nobody listens in this process. */
  readonly surfaces: {
    readonly public: App | undefined
    readonly calculator: App | undefined
    readonly internal: App
  }
  /** What `/ready` asks, by name. */
  readonly probes: Record<string, Probe>
  /** Bearer token for the internal routes of other processes. */
  readonly internalToken?: string
  readonly metrics: Metrics
  readonly logger: Logger
  readonly onError: OnBackgroundError
}
