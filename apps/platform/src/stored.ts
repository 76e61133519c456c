import { type Database, startWakeUps } from '@headrace/database'
import { startMembership } from '@headrace/inbox'
import { tableKeyValue } from '@headrace/keyvalue'
import { openLog } from '@headrace/log'
import { type Metrics, PlatformError } from '@headrace/runtime'
import type { BareContext, PlatformContext } from './context.ts'
import { startHousekeeping } from './housekeeping.ts'
import { openQueue } from './queue.ts'
import type { ProcessNeeds } from './start.ts'
import { openStorage, prepareSchema, type Storage } from './storage.ts'

/** The database of a process and all that stands on it. */
export interface Stored {
  readonly context: Omit<PlatformContext, keyof BareContext>
  /** Resolves when the embedded server has ended without being asked to. */
  readonly failed: Promise<PlatformError>
  stop(): Promise<void>
}

/** Opens the database, brings its schema up to date, and starts what its roles stand on. */
export async function openStored(needs: ProcessNeeds, probes: BareContext['probes']): Promise<Stored> {
  await using stack = new AsyncDisposableStack()
  const { settings, logger, metrics, faults, onError } = needs
  const storage = stack.use(await openStorage(settings, logger))
  const { database } = storage
  await prepareSchema(database, needs.mayMigrate, logger)
  const wakeUps = stack.use(startWakeUps(storage.connection))
  const limits = { retentionMs: settings.LOG_RETENTION_MS, messageLimitBytes: settings.MESSAGE_LIMIT_BYTES }
  const log = stack.use(await openLog({ database, wakeUps, onError, faults }, limits))
  const membership = stack.use(startMembership({ database, wakeUps, onError }))
  const queue = openQueue(settings, log, needs.selection.has('pipeline:processor'))
  stack.defer(() => queue.stop())
  stack.use(startHousekeeping(database, onError))
  const keyvalue = tableKeyValue(database)
  probes['database'] = () => database.query({ text: 'select 1' })
  probes['broker'] = (signal) => queue.carriers[0]?.probe(signal) ?? Promise.resolve()
  probes['keyvalue'] = () => keyvalue.get('ready')
  addPoolMetrics(database, metrics)
  const parts = stack.move()
  return {
    context: {
      database,
      wakeUps,
      log,
      membership,
      pipelineQueue: queue.pipeline,
      metrics,
      logger,
      faults,
      onError,
      ...(settings.INTERNAL_TOKEN && { internalToken: settings.INTERNAL_TOKEN }),
    },
    failed: failureOf(storage),
    stop: () => parts.disposeAsync(),
  }
}

async function failureOf({ exited }: Storage): Promise<PlatformError> {
  const { expected, code, signal } = await exited
  if (expected) return new Promise(() => {})
  return new PlatformError('DATABASE_UNAVAILABLE', `the embedded database ended (${signal ?? `code ${code}`})`)
}

function addPoolMetrics(database: Database, metrics: Metrics): void {
  metrics.gauge({
    name: 'headrace_database_connections',
    help: 'Connections to the database: in use, idle; and callers that wait for one.',
    labels: ['state'],
    collect(gauge) {
      const { total, idle, waiting } = database.usage()
      gauge.set({ state: 'used' }, total - idle)
      gauge.set({ state: 'idle' }, idle)
      gauge.set({ state: 'waiting' }, waiting)
    },
  })
}
