import { addresses, type PipelineOffers, type PipelineSettings } from '@headrace/pipeline/contract'
import { defineSettings, type SettingsOf } from '@headrace/runtime'

export { streamingRoles, streamPaths } from './remote-modules.ts'

/** The variables of this module. */
export const gatewaySettings = defineSettings({
  INGEST_URL: addresses({
    default: ['http://localhost:8081'],
    doc: 'Where ingest answers when it runs in another process; several are a comma list.',
  }),
  AUTH_URL: addresses({ default: ['http://localhost:8090'], doc: 'Where accounts answer when they run elsewhere.' }),
  CALCULATOR_URL: addresses({
    default: ['http://localhost:8090'],
    doc: "Where the calculator's API answers when it runs elsewhere.",
  }),
  ORDERS_URL: addresses({ default: [], doc: 'Where orders answer when they run elsewhere; several are a comma list.' }),
  PAYMENTS_URL: addresses({ default: [], doc: 'Where payments answer when they run elsewhere.' }),
  ORDER_LOOKUP_URL: addresses({
    default: ['http://localhost:8081'],
    doc: 'Where order lookup answers when it runs elsewhere.',
  }),
  ORDER_INTAKE_URL: addresses({ default: [], doc: "Where the order intake's API answers when it runs elsewhere." }),
})

export type GatewaySettings = SettingsOf<typeof gatewaySettings> & Pick<PipelineSettings, 'PROCESSOR_URL'>

/** What other modules of the process offer to the gateway. */
export type GatewayOffers = Readonly<PipelineOffers>
