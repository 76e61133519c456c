import { streamPaths } from '@headrace/gateway/contract'
import { type Readiness, readiness } from '@headrace/http-kit'
import type { KeyValue } from '@headrace/keyvalue'
import {
  createLogger,
  createMetrics,
  type Environment,
  type FaultPoints,
  type Logger,
  type Metrics,
  noFaults,
  type OnBackgroundError,
  type PlatformError,
  type RunningModules,
  readSettings,
  secretValues,
  startModules,
} from '@headrace/runtime'
import type { Station } from '@headrace/station'
import { backgroundReports } from './background-reports.ts'
import { carrierHealth } from './carrier-health.ts'
import { type Selection, selection } from './catalogue.ts'
import { version } from './cli/version.ts'
import type { PlatformContext } from './context.ts'
import { identities } from './identities.ts'
import { type Address, createServers, type Servers } from './servers.ts'
import { type PlatformSettings, platformSettings } from './settings.ts'
import { openStored, type Stored } from './stored.ts'
import { portsOf, trustedProxies } from './topology.ts'
import { warningsOf } from './warnings.ts'

export interface PlatformOptions {
  readonly env: Environment
  /** Modules and roles to start, as `gateway,pipeline:ingest`; all unless given. */
  readonly only?: string
  /** False refuses an older schema with `SCHEMA_OUTDATED` instead of bringing it up to date. */
  readonly migrate?: boolean
  readonly logger?: Logger
  readonly faults?: FaultPoints
  /** Called once everything listens. */
  readonly onReady?: (platform: Platform) => void
}

/** A process of the platform that runs. */
export interface Platform extends AsyncDisposable {
  readonly addresses: readonly Address[]
  /** What runs, as `module:role`. */
  readonly roles: readonly string[]
  /** What is set and probably not meant so. */
  readonly warnings: readonly string[]
  /** Resolves when something ended that the process cannot go on without; it is then to be stopped. */
  readonly failed: Promise<PlatformError>
  /** Takes nothing new, finishes what is in flight, releases everything; `STOP_TIMEOUT` names what was late. */
  stop(options?: { readonly deadlineMs?: number }): Promise<void>
}

const defaultStopMs = 10_000
/** The share of that time which answers may take: roles need some to finish what they hold. */
const answersShare = 0.7

/**
 * Starts what `only` names. Rejects with a `PlatformError` that says what to change: `INVALID_SETTING`, `PORT_TAKEN`,
 * `DATABASE_…`, `SCHEMA_OUTDATED`, `MODULE_START_FAILED`; what had been started is then stopped again.
 */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const settings = readSettings(platformSettings, options.env)
  const chosen = selection(options.only, settings)
  const needs = processNeeds(options, settings, chosen)
  const parts = new StartedParts()
  try {
    await startParts(parts, needs)
  } catch (error) {
    // A failure while stopping must not cover up why the start failed.
    await parts.stop(defaultStopMs).catch(() => {})
    throw error
  }
  const platform = platformOf(parts, warningsOf(options.env, settings))
  options.onReady?.(platform)
  return platform
}

/** What the parts of one process are made from. */
export interface ProcessNeeds {
  readonly settings: PlatformSettings
  readonly selection: Selection
  readonly mayMigrate: boolean
  readonly logger: Logger
  readonly metrics: Metrics
  readonly faults: FaultPoints
  readonly onError: OnBackgroundError
}

function processNeeds(options: PlatformOptions, settings: PlatformSettings, chosen: Selection): ProcessNeeds {
  const logger = options.logger ?? ownLogger(settings)
  const onError = backgroundReports(logger)
  return {
    settings,
    selection: chosen,
    mayMigrate: options.migrate ?? true,
    logger,
    metrics: createMetrics({ process: true, onError }),
    faults: options.faults ?? noFaults,
    onError,
  }
}

function ownLogger(settings: PlatformSettings): Logger {
  const format = settings.LOG_FORMAT === undefined ? {} : { format: settings.LOG_FORMAT }
  return createLogger({ level: settings.LOG_LEVEL, ...format, secrets: secretValues(platformSettings, settings) })
}

/** What has been started so far, in the order of starting. */
class StartedParts {
  stored: Stored | undefined
  servers: Servers | undefined
  modules: RunningModules | undefined
  addresses: readonly Address[] = []

  /** HTTP first, so that nothing new comes; then the roles in reverse; then what they stand on. */
  async stop(deadlineMs: number): Promise<void> {
    const deadlineAt = performance.now() + deadlineMs
    const leftMs = () => Math.max(0, deadlineAt - performance.now())
    const failures: unknown[] = []
    const keep = (error: unknown) => void failures.push(error)
    await this.servers?.stop(deadlineMs * answersShare).catch(keep)
    await this.modules?.stop({ deadlineMs: leftMs() }).catch(keep)
    await this.stored?.stop().catch(keep)
    if (failures.length > 0) throw failures[0]
  }
}

async function startParts(parts: StartedParts, needs: ProcessNeeds): Promise<void> {
  const { settings, selection: chosen, logger, metrics } = needs
  const probes: PlatformContext['probes'] = {}
  const onFailure = (part: string, error: unknown) => logger.warn(`${part} is not ready`, { error })
  const ready = lateReadiness(() => readiness(probes, { onFailure }))

  parts.stored = await openStored(needs, probes)
  const identity = await identities(settings, ticketStore(parts.stored.context.stations, settings))
  parts.servers = await createServers(portsOf(chosen, settings), {
    settings,
    logger,
    metrics,
    readiness: ready,
    calculatorHealth: carrierHealth(parts.stored.carriersOf('calculator')),
    version,
    callers: identity.callers,
    trustedProxies: trustedProxies(chosen, settings),
  })
  const { surfaces } = parts.servers
  parts.modules = await startModules(chosen.modules, {
    ...parts.stored.context,
    ...identity,
    streamRoutes: streamPaths,
    settings,
    surfaces,
    offers: {},
    probes,
    readiness: ready,
    runs: (role) => chosen.has(role),
    metrics,
    logger,
    faults: needs.faults,
    onError: needs.onError,
  })
  parts.addresses = await parts.servers.listen()
}

/** Where tickets for streams are kept: beside the accounts, or in Redis, which is one for all. */
function ticketStore(stations: Partial<Record<string, Station>>, settings: PlatformSettings): KeyValue | undefined {
  const { REDIS_URL, REDIS_ADDR } = settings
  const [any] = (REDIS_URL ?? REDIS_ADDR) === undefined ? [] : Object.values(stations)
  return (stations['auth'] ?? any)?.keyvalue
}

/** Made when the first check comes: by then the roles have added their probes. */
function lateReadiness(make: () => Readiness): Readiness {
  let made: Readiness | undefined
  return {
    check() {
      made ??= make()
      return made.check()
    },
  }
}

function platformOf(parts: StartedParts, warnings: readonly string[]): Platform {
  let stopping: Promise<void> | undefined
  const stop = (options: { readonly deadlineMs?: number } = {}) => {
    stopping ??= parts.stop(options.deadlineMs ?? defaultStopMs)
    return stopping
  }
  return {
    addresses: parts.addresses,
    roles: parts.modules?.roles ?? [],
    warnings,
    failed: parts.stored?.failed ?? Promise.withResolvers<PlatformError>().promise,
    stop,
    [Symbol.asyncDispose]: () => stop(),
  }
}
