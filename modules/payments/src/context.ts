import type { App } from '@headrace/http-kit'
import type { FaultPoints, Metrics, OnBackgroundError } from '@headrace/runtime'
import type { Station } from '@headrace/station'
import type { PaymentsOffers, PaymentsSettings } from './contract.ts'

/** What this module needs of the process that runs it. */
export interface PaymentsContext {
  readonly settings: PaymentsSettings
  readonly stations: { readonly payments: Station }
  /** Where routes are added; `public` is undefined where nobody listens in this process. */
  readonly surfaces: { readonly public: App | undefined; readonly internal: App }
  /** Filled by roles as they start, in the order of the catalogue. */
  readonly offers: PaymentsOffers
  readonly metrics: Metrics
  readonly faults: FaultPoints
  readonly onError: OnBackgroundError
}
