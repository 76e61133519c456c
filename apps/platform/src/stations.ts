import type { PlatformSettings } from './settings.ts'

/** What modules stand on, by name. Those that are set to the same database share one. */
export const stationNames = [
  'pipeline',
  'auth',
  'calculator',
  'orders',
  'payments',
  'orderLookup',
  'orderIntakeApi',
  'orderIntakeWorker',
] as const

export type StationName = (typeof stationNames)[number]

/** Systems that choose a carrier of their own. */
export const systems = ['pipeline', 'calculator', 'shop', 'orderLookup', 'orderIntake'] as const

export type System = (typeof systems)[number]

export const systemOf = {
  pipeline: 'pipeline',
  auth: 'calculator',
  calculator: 'calculator',
  orders: 'shop',
  payments: 'shop',
  orderLookup: 'orderLookup',
  orderIntakeApi: 'orderIntake',
  orderIntakeWorker: 'orderIntake',
} as const satisfies Record<StationName, System>

/** What says which databases there are. */
export type DatabaseSettings = Pick<
  PlatformSettings,
  'DATABASE_URL' | 'ORDERS_DATABASE_URL' | 'PAYMENTS_DATABASE_URL' | 'API_POSTGRES_DSN' | 'WORKER_POSTGRES_DSN'
>

/** The server of a station; undefined = the platform's own database. */
export function databaseUrlOf(station: StationName, settings: DatabaseSettings): string | undefined {
  switch (station) {
    case 'orders':
      return settings.ORDERS_DATABASE_URL ?? settings.DATABASE_URL
    case 'payments':
      return settings.PAYMENTS_DATABASE_URL ?? settings.DATABASE_URL
    case 'orderIntakeApi':
      return settings.API_POSTGRES_DSN ?? settings.DATABASE_URL
    case 'orderIntakeWorker':
      return settings.WORKER_POSTGRES_DSN ?? settings.DATABASE_URL
    default:
      return settings.DATABASE_URL
  }
}

/** The station that appends to a topic which others consume; undefined for a topic of a module's own. */
export function producerOf(topic: string, settings: PlatformSettings): StationName | undefined {
  return stationNames.find((name) => producedTopics[name]?.(settings).includes(topic))
}

const producedTopics: Partial<Record<StationName, (settings: PlatformSettings) => readonly string[]>> = {
  orders: () => ['orders-events'],
  payments: () => ['payments-events'],
  orderIntakeApi: ({ ORDERS_EVENTS_TOPIC }) => [ORDERS_EVENTS_TOPIC],
  orderIntakeWorker: ({ ORDERS_ACK_TOPIC }) => [ORDERS_ACK_TOPIC],
}

/** One database and the stations on it. */
export interface Place {
  /** Undefined: the embedded one. */
  readonly url: string | undefined
  readonly stations: readonly StationName[]
}

/** The databases of these stations, the platform's own first. */
export function placesOf(stations: ReadonlySet<StationName>, settings: DatabaseSettings): Place[] {
  const byUrl = Map.groupBy(
    stationNames.filter((name) => stations.has(name)),
    (name) => databaseUrlOf(name, settings),
  )
  const places = [...byUrl].map(([url, names]): Place => ({ url, stations: names }))
  return places.sort((a, b) => rank(a, settings) - rank(b, settings))
}

function rank({ url }: Place, settings: DatabaseSettings): number {
  return url === settings.DATABASE_URL ? 0 : 1
}
