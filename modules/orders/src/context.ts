import type { App } from '@headrace/http-kit'
import type { PaymentsOffers } from '@headrace/payments/contract'
import type { FaultPoints, Metrics, OnBackgroundError } from '@headrace/runtime'
import type { Station } from '@headrace/station'
import type { OrdersSettings } from './contract.ts'

/** What this module needs of the process that runs it. */
export interface OrdersContext {
  /** `PAYMENTS_URL`: where payments answer when they run in another process; empty where nobody said so. */
  readonly settings: OrdersSettings & { readonly PAYMENTS_URL: readonly string[] }
  readonly stations: { readonly orders: Station }
  /** Where routes are added; `public` is undefined where nobody listens in this process. */
  readonly surfaces: { readonly public: App | undefined }
  /** What payments offer, where they run in this process and were started before. */
  readonly offers: PaymentsOffers
  readonly metrics: Metrics
  readonly faults: FaultPoints
  readonly onError: OnBackgroundError
}
