import type { GatewayContext } from '@headrace/gateway/module'
import type { App, Probe } from '@headrace/http-kit'
import type { PipelineContext } from '@headrace/pipeline/module'
import type { PlatformSettings } from './settings.ts'

/** Where roles add their routes; undefined where this process does not listen. */
export interface Surfaces {
  readonly public: App | undefined
  readonly ingest: App | undefined
  readonly processor: App | undefined
  readonly internal: App
}

/** What a role gets that keeps nothing. */
export interface BareContext extends GatewayContext {
  readonly settings: PlatformSettings
  readonly surfaces: Surfaces
  /** Filled by roles as they start: what `/ready` asks, by name. */
  readonly probes: Record<string, Probe>
}

/** What every other role gets. */
export interface PlatformContext extends BareContext, PipelineContext {
  readonly settings: PlatformSettings
  readonly surfaces: Surfaces
  readonly offers: PipelineContext['offers']
}
