import type { ListenOptions } from '@headrace/http-kit'
import type { Selection } from './catalogue.ts'
import type { PlatformSettings } from './settings.ts'

/** Where routes can be added. */
export type SurfaceName = 'public' | 'ingest' | 'processor' | 'calculator' | 'orderLookup' | 'console' | 'internal'

/** A port to open. */
export interface Port extends ListenOptions {
  readonly name: 'gateway' | 'ingest' | 'processor' | 'calculator' | 'order-lookup' | 'console' | 'public' | 'internal'
  readonly serves: readonly SurfaceName[]
}

/** Where the internal port is when nobody says where, in a process that runs the orchestrator or everything. */
const knownInternalPort = 8083

/**
 * The ports of a process: the gateway's and the console's, those of the older walkthroughs where their module runs, and
 * the internal one. A process without the gateway whose modules have no port of their own, or have it closed, serves on
 * `PORT`.
 */
export function portsOf(selection: Selection, settings: PlatformSettings): Port[] {
  const { HOST: host, API_PORT, CONSOLE_PORT, INTERNAL_PORT, INTERNAL_HOST } = settings
  const hasGateway = selection.has('gateway:gateway')
  const own = ownPorts(selection, settings)
  const ports: Port[] = hasGateway
    ? [{ name: 'gateway', serves: ['public'], host, port: API_PORT, variable: 'API_PORT' }, ...own]
    : [...own, ...sharedPort(selection, settings, own)]
  if (hasGateway && CONSOLE_PORT !== 'off') {
    ports.push({ name: 'console', serves: ['console'], host, port: CONSOLE_PORT, variable: 'CONSOLE_PORT' })
  }
  const isKnown = selection.isWhole || selection.has('calculator:orchestrator')
  const port = INTERNAL_PORT ?? (isKnown ? knownInternalPort : 0)
  return [...ports, { name: 'internal', serves: ['internal'], host: INTERNAL_HOST, port, variable: 'INTERNAL_PORT' }]
}

/** Whose word counts for who asks: unless set otherwise, on this machine, where the gateway is another process. */
export function trustedProxies(selection: Selection, { TRUSTED_PROXIES }: PlatformSettings): readonly string[] {
  return TRUSTED_PROXIES ?? (selection.has('gateway:gateway') ? [] : ['loopback'])
}

/** Ports that a module has to itself. Order lookup shares the one of ingest. */
function ownPorts(selection: Selection, settings: PlatformSettings): Port[] {
  const { HOST: host, INGEST_PORT, PROCESSOR_PORT, CALCULATOR_PORT } = settings
  const ports: Port[] = []
  const hasIngest = selection.serves.has('ingest') && INGEST_PORT !== 'off'
  if (hasIngest) {
    const serves = ['ingest', 'orderLookup'] as const
    ports.push({ name: 'ingest', serves, host, port: INGEST_PORT, variable: 'INGEST_PORT' })
  }
  if (selection.serves.has('orderLookup') && !hasIngest) ports.push(...orderLookupPort(selection, settings))
  if (selection.serves.has('processor') && PROCESSOR_PORT !== 'off') {
    ports.push({ name: 'processor', serves: ['processor'], host, port: PROCESSOR_PORT, variable: 'PROCESSOR_PORT' })
  }
  if (selection.serves.has('calculator') && CALCULATOR_PORT !== 'off') {
    ports.push({ name: 'calculator', serves: ['calculator'], host, port: CALCULATOR_PORT, variable: 'CALCULATOR_PORT' })
  }
  return ports
}

/** Beside the gateway it takes the port of ingest; in a process of its own only the one that is set for it. */
function orderLookupPort(selection: Selection, settings: PlatformSettings): Port[] {
  const { HOST: host, INGEST_PORT, ORDER_LOOKUP_PORT } = settings
  const name = 'order-lookup'
  const serves = ['orderLookup'] as const
  if (ORDER_LOOKUP_PORT === 'off') return []
  if (ORDER_LOOKUP_PORT !== undefined) {
    return [{ name, serves, host, port: ORDER_LOOKUP_PORT, variable: 'ORDER_LOOKUP_PORT' }]
  }
  if (!selection.has('gateway:gateway') || INGEST_PORT === 'off') return []
  return [{ name, serves, host, port: INGEST_PORT, variable: 'INGEST_PORT' }]
}

/** The port of a process without the gateway for what has none of its own. */
function sharedPort({ serves }: Selection, settings: PlatformSettings, own: readonly Port[]): Port[] {
  const covered = new Set(own.flatMap((port) => port.serves))
  const left = [...serves].filter((surface) => !covered.has(surface))
  if (left.length === 0) return []
  // Ingest and processor both have a `/stats`: one of them can have the port, and the processor is found on the
  // internal one, too.
  const pipeline = left.includes('ingest') ? (['ingest'] as const) : (['processor'] as const)
  const shared = left.some((surface) => surface === pipeline[0]) ? pipeline : []
  const { HOST: host, PORT: port } = settings
  return [{ name: 'public', serves: ['public', ...shared], host, port, variable: 'PORT' }]
}
