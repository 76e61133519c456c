import type { AuthContext } from '@headrace/auth/module'
import type { CalculatorContext } from '@headrace/calculator/module'
import type { GatewayContext } from '@headrace/gateway/module'
import type { App, Probe } from '@headrace/http-kit'
import type { OrderIntakeContext } from '@headrace/order-intake/module'
import type { OrderLookupContext } from '@headrace/order-lookup/module'
import type { PaymentsOffers } from '@headrace/payments/contract'
import type { PipelineContext } from '@headrace/pipeline/module'
import type { Station } from '@headrace/station'
import type { PlatformSettings } from './settings.ts'
import type { StationName } from './stations.ts'

/** Where roles add their routes; undefined where this process does not listen. */
export interface Surfaces {
  /** The gateway's port where it runs in this process, else the process's own. */
  readonly public: App | undefined
  readonly ingest: App | undefined
  readonly processor: App | undefined
  readonly calculator: App | undefined
  readonly orderLookup: App | undefined
  readonly console: App | undefined
  readonly internal: App
}

/** What roles get. A role uses only the stations that the catalogue says it stands on; others are not there. */
export interface PlatformContext
  extends GatewayContext,
    AuthContext,
    CalculatorContext,
    OrderIntakeContext,
    OrderLookupContext,
    PipelineContext {
  readonly settings: PlatformSettings
  readonly surfaces: Surfaces
  readonly stations: Readonly<Record<StationName, Station>>
  readonly offers: PipelineContext['offers'] & PaymentsOffers
  /** Filled by roles as they start: what `/ready` asks, by name. */
  readonly probes: Record<string, Probe>
}
