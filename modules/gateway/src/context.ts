import type { App, Readiness } from '@headrace/http-kit'
import type { GatewayOffers, GatewaySettings } from './contract.ts'

/** What this module needs of the process that runs it. */
export interface GatewayContext {
  readonly settings: GatewaySettings
  /** The public port, and the console's where it is open. */
  readonly surfaces: { readonly public: App | undefined; readonly console?: App | undefined }
  /** What runs in this process; the rest is found by its address. */
  readonly offers: GatewayOffers
  /** How this process is. */
  readonly readiness: Readiness
  /** Tells whether a role runs in this process. */
  readonly runs: (role: string) => boolean
}
