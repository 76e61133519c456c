import { addresses, type PipelineOffers, type PipelineSettings } from '@headrace/pipeline/contract'
import { defineSettings, type SettingsOf } from '@headrace/runtime'

/** The variables of this module. */
export const gatewaySettings = defineSettings({
  INGEST_URL: addresses({
    default: ['http://localhost:8081'],
    doc: 'Where ingest answers when it runs in another process; several are a comma list.',
  }),
})

export type GatewaySettings = SettingsOf<typeof gatewaySettings> & Pick<PipelineSettings, 'PROCESSOR_URL'>

/** What other modules of the process offer to the gateway. */
export type GatewayOffers = Readonly<PipelineOffers>
