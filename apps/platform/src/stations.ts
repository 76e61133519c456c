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
export type System = 'pipeline' | 'calculator' | 'shop' | 'orderLookup' | 'orderIntake'

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

/** The server of a station; undefined = the platform's own database. */
export function databaseUrlOf(station: StationName, settings: PlatformSettings): string | undefined {
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

/** Stations whose topics a station consumes: where they have a database of their own, its log is read there. */
export const producersFor: Partial<Record<StationName, readonly StationName[]>> = {
  orders: ['payments'],
  payments: ['orders'],
  orderIntakeApi: ['orderIntakeWorker'],
  orderIntakeWorker: ['orderIntakeApi'],
}

/** One database and the stations on it. */
export interface Place {
  /** Undefined: the embedded one. */
  readonly url: string | undefined
  readonly stations: readonly StationName[]
}

/** The databases of these stations, the platform's own first. */
export function placesOf(stations: ReadonlySet<StationName>, settings: PlatformSettings): Place[] {
  const byUrl = Map.groupBy(
    stationNames.filter((name) => stations.has(name)),
    (name) => databaseUrlOf(name, settings),
  )
  const places = [...byUrl].map(([url, names]): Place => ({ url, stations: names }))
  return places.sort((a, b) => rank(a, settings) - rank(b, settings))
}

function rank({ url }: Place, settings: PlatformSettings): number {
  return url === settings.DATABASE_URL ? 0 : 1
}
