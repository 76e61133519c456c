import type { ListenOptions } from '@headrace/http-kit'
import type { Selection } from './catalogue.ts'
import type { PlatformSettings } from './settings.ts'

/** Where routes can be added. */
export type SurfaceName = 'public' | 'ingest' | 'processor' | 'internal'

/** A port to open. */
export interface Port extends ListenOptions {
  readonly name: 'gateway' | 'ingest' | 'processor' | 'public' | 'internal'
  readonly serves: readonly SurfaceName[]
}

/** Where the internal port is when nobody says where, in a process that runs everything. */
const wholeInternalPort = 8083

/**
 * The ports of a process: the gateway's, those of the older walkthroughs where their module runs, and the internal one.
 * A process without the gateway whose modules have no port of their own, or have it closed, serves on `PORT`.
 */
export function portsOf(selection: Pick<Selection, 'has' | 'isWhole'>, settings: PlatformSettings): Port[] {
  const { HOST: host, INGEST_PORT, PROCESSOR_PORT } = settings
  const hasIngest = selection.has('pipeline:ingest')
  const ports: Port[] = []
  if (selection.has('gateway:gateway')) {
    ports.push({ name: 'gateway', serves: ['public'], host, port: settings.API_PORT, variable: 'API_PORT' })
  }
  if (hasIngest && INGEST_PORT !== 'off') {
    ports.push({ name: 'ingest', serves: ['ingest'], host, port: INGEST_PORT, variable: 'INGEST_PORT' })
  }
  if (selection.has('pipeline:processor') && PROCESSOR_PORT !== 'off') {
    ports.push({ name: 'processor', serves: ['processor'], host, port: PROCESSOR_PORT, variable: 'PROCESSOR_PORT' })
  }
  if (ports.length === 0) {
    // Both have a `/stats`: one of them can have the port, and the processor is found on the internal one, too.
    const serves = ['public', hasIngest ? 'ingest' : 'processor'] as const
    ports.push({ name: 'public', serves, host, port: settings.PORT, variable: 'PORT' })
  }
  const port = settings.INTERNAL_PORT ?? (selection.isWhole ? wholeInternalPort : 0)
  return [
    ...ports,
    { name: 'internal', serves: ['internal'], host: settings.INTERNAL_HOST, port, variable: 'INTERNAL_PORT' },
  ]
}
