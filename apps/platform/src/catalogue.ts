import { authModule } from '@headrace/auth/module'
import { calculatorModule } from '@headrace/calculator/module'
import { streamingRoles } from '@headrace/gateway/contract'
import { gatewayModule } from '@headrace/gateway/module'
import { orderIntakeModule } from '@headrace/order-intake/module'
import { orderLookupModule } from '@headrace/order-lookup/module'
import { ordersModule } from '@headrace/orders/module'
import { paymentsModule } from '@headrace/payments/module'
import { pipelineModule } from '@headrace/pipeline/module'
import { type Module, selectModules } from '@headrace/runtime'
import type { PlatformContext } from './context.ts'
import type { PlatformSettings } from './settings.ts'
import { databaseUrlOf, type StationName } from './stations.ts'

/** Where a role's routes can be: on the public port, or on one of its own from an older walkthrough. */
export type ServingSurface = 'public' | 'ingest' | 'processor' | 'calculator' | 'orderLookup'

/** What of the catalogue runs in a process. */
export interface Selection {
  /** In the order of starting: what others offer is there before who uses it; the gateway is last. */
  readonly modules: readonly Module<PlatformContext>[]
  /** What the selected roles stand on. */
  readonly stations: ReadonlySet<StationName>
  /** Where their routes are when the gateway runs elsewhere. */
  readonly serves: ReadonlySet<ServingSurface>
  /** True when nothing of the catalogue is left out. */
  readonly isWhole: boolean
  has(role: string): boolean
}

/** Every module, in the order of starting. */
function catalogue(): readonly Module<PlatformContext>[] {
  return [
    authModule(),
    calculatorModule(),
    pipelineModule(),
    paymentsModule(),
    ordersModule(),
    orderLookupModule(),
    orderIntakeModule(),
    gatewayModule(),
  ]
}

/** What the app has to know of a role to start it. */
interface RoleFacts {
  /** What it stands on; a role that keeps nothing has none. */
  stations(settings: PlatformSettings): readonly StationName[]
  /** Where its routes are when the gateway runs elsewhere; absent where nobody calls it from outside. */
  readonly serves?: ServingSurface
}

const roleFacts: Readonly<Record<string, RoleFacts>> = {
  'auth:auth': { stations: () => ['auth'], serves: 'public' },
  'calculator:orchestrator': { stations: () => ['calculator'] },
  // Over HTTP a worker keeps nothing.
  'calculator:worker': {
    stations: ({ CALCULATOR_WORKERS }) => (CALCULATOR_WORKERS === 'broker' ? ['calculator'] : []),
  },
  'calculator:api': { stations: () => ['calculator'], serves: 'calculator' },
  'pipeline:processor': { stations: () => ['pipeline'], serves: 'processor' },
  'pipeline:ingest': { stations: () => ['pipeline'], serves: 'ingest' },
  'payments:worker': { stations: () => ['payments'] },
  'payments:api': { stations: () => ['payments'], serves: 'public' },
  'orders:worker': { stations: () => ['orders'] },
  'orders:api': { stations: () => ['orders'], serves: 'public' },
  'order-lookup:order-lookup': { stations: () => ['orderLookup'], serves: 'orderLookup' },
  'order-intake:worker': { stations: () => ['orderIntakeWorker'] },
  'order-intake:api': { stations: () => ['orderIntakeApi'], serves: 'public' },
  'gateway:gateway': { stations: () => [] },
}

/** The modules and roles that `only` names; all unless given. Throws `INVALID_SETTING` that lists the valid names. */
export function selection(only: string | undefined, settings: PlatformSettings): Selection {
  const all = catalogue()
  const modules = selectModules(all, only)
  const roles = new Set(rolesOf(modules))
  const facts = [...roles].flatMap((role) => roleFacts[role] ?? [])
  const stations = new Set(facts.flatMap((role) => role.stations(settings)))
  const hasStreams = [...roles].some((role) => streamingRoles.includes(role))
  if (hasStreams && reachesAccounts(stations, settings)) stations.add('auth')
  return {
    modules,
    stations,
    serves: new Set(facts.flatMap(({ serves }) => serves ?? [])),
    isWhole: roles.size === rolesOf(all).length,
    has: (role) => roles.has(role),
  }
}

/**
 * Tickets for streams are kept beside the accounts. An embedded database belongs to one process: one whose modules all
 * have databases of their own leaves it alone.
 */
function reachesAccounts(stations: ReadonlySet<StationName>, settings: PlatformSettings): boolean {
  const url = databaseUrlOf('auth', settings)
  return url !== undefined || [...stations].some((name) => databaseUrlOf(name, settings) === undefined)
}

function rolesOf<C>(modules: readonly Module<C>[]): string[] {
  return modules.flatMap(({ name, roles }) => roles.map((role) => `${name}:${role.name}`))
}
