import type { App } from '@headrace/http-kit'
import type { Logger } from '@headrace/runtime'
import type { Station } from '@headrace/station'
import type { AccessTokens, StreamTickets } from '@headrace/tokens'
import type { AuthSettings } from './contract.ts'

/** What this module needs of the process that runs it. */
export interface AuthContext {
  readonly settings: AuthSettings
  readonly stations: { readonly auth: Station }
  /** Where routes are added; undefined where nobody listens in this process. */
  readonly surfaces: {
    readonly public: App | undefined
    readonly calculator: App | undefined
    readonly internal: App
  }
  readonly accessTokens: AccessTokens
  readonly streamTickets: StreamTickets
  /** The paths of all streams of the platform, wherever they run. */
  readonly streamRoutes: readonly string[]
  readonly logger: Logger
}
