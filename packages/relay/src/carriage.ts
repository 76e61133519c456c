import type { Database } from '@headrace/database'
import type { Membership } from '@headrace/inbox'
import type { Log } from '@headrace/log'
import { type FaultPoints, noFaults, type OnBackgroundError, PlatformError, type Running } from '@headrace/runtime'
import { postgresTransport, type Transport } from '@headrace/transport'
import type { Breaker } from './breaker.ts'
import { Confirmations, type LogPlace } from './confirmations.ts'
import { retireOthers } from './cursors.ts'
import { undrainedProviders } from './drained.ts'
import { startHealing } from './healing.ts'
import type { ProviderOptions } from './provider.ts'
import { type Relay, type RelayNeeds, startRelay } from './relay.ts'
import { logStatus, relayStatus } from './status.ts'

export interface CarriageNeeds {
  readonly database: Database
  readonly log: Log
  readonly membership: Membership
  readonly onError: OnBackgroundError
  readonly faults?: FaultPoints
}

export interface CarriageOptions extends Omit<ProviderOptions, 'breaker'> {
  /** The providers in use; `postgres` is the log itself. At least one, none twice. */
  readonly providers: readonly string[]
  /**
   * Opens a carrier by its name: one in use, or one that was in use before and is still to be drained. Not asked for
   * `postgres`. Whoever opens it stops it, after the carriage.
   */
  readonly open: (provider: string) => Transport
  /** Time in ms that a lane stands still in front of what its carrier confirmed before it is sent again; default 10 000. */
  readonly stalledMs?: number
}

/** Who must have a message before it counts as confirmed. */
export type ConfirmMode = 'all' | 'any'

/** How a provider in use is, and how far it is with a topic. */
export interface ProviderStatus {
  readonly provider: string
  readonly healthy: boolean
  /** Messages that it has, or will have, and that the slowest group has not taken. */
  readonly size: number
  /** Messages that it has confirmed. */
  readonly published: number
  /** Tries to publish that failed, since this process started. */
  readonly failed: number
  /** Messages that it does not have yet. */
  readonly lag: number
  readonly lastError: string | null
}

/** What carries the topics of one database's log for one system, in this process. */
export interface Carriage extends Running {
  /** Every carrier that may hold messages of a topic: those in use, and those that are still to be drained. */
  carriers(topic: string): readonly Transport[]
  /** The carriers in use, in the order of the settings. */
  readonly inUse: readonly Transport[]
  /** Starts to carry what is appended to a declared topic to every provider in use. Repeatable. */
  relay(topic: string): Promise<void>
  /** Each provider in use, as the database and this process know it. */
  status(topic: string): Promise<readonly ProviderStatus[]>
  /** Those of the providers in use that are known to be away, so that it is no use to try. */
  away(topic: string): readonly string[]
  /** Those that failed last and have not been seen well again: what is accepted now reaches them later. */
  lagging(topic: string): readonly string[]
  /**
   * Waits until all or any of the providers in use have these messages, at most until the signal aborts. Returns those
   * that do not have them; what is enough is the mode's.
   */
  confirm(topic: string, places: readonly LogPlace[], options: ConfirmOptions): Promise<readonly string[]>
  stop(): Promise<void>
}

export interface ConfirmOptions {
  readonly mode: ConfirmMode
  readonly signal: AbortSignal
}

/** Opens what the settings ask for. Brokers may be away. */
export async function openCarriage(needs: CarriageNeeds, options: CarriageOptions): Promise<Carriage> {
  const { providers } = options
  if (providers.length === 0 || new Set(providers).size < providers.length) {
    throw new RangeError(`providers: '${providers.join(',')}' must be at least one, and none twice`)
  }
  const undrained = await undrainedProviders(needs.database, providers)
  return new LogCarriage(needs, options, undrained)
}

/** The name of the log as its own carrier. */
const ownName = 'postgres'

class LogCarriage implements Carriage {
  readonly inUse: readonly Transport[]
  readonly #needs: RelayNeeds
  readonly #options: CarriageOptions
  readonly #own: Transport
  readonly #opened = new Map<string, Transport>()
  /** Providers that are not in use any more and hold what some group has not taken, by topic. */
  readonly #undrained: ReadonlyMap<string, readonly string[]>
  readonly #confirmations: Confirmations
  readonly #relays = new Map<string, Promise<readonly Relay[]>>()
  readonly #running: Relay[] = []
  readonly #healing: Running

  constructor(needs: CarriageNeeds, options: CarriageOptions, undrained: ReadonlyMap<string, readonly string[]>) {
    this.#own = postgresTransport(needs.log)
    this.#options = options
    this.#undrained = undrained
    this.#confirmations = new Confirmations(needs.database, needs.onError)
    this.#needs = {
      ...needs,
      faults: needs.faults ?? noFaults,
      source: this.#own,
      confirmed: (...place) => this.#confirmations.confirmed(...place),
    }
    this.inUse = options.providers.map((name) => this.#carrier(name))
    this.#healing = startHealing(needs, () => this.#running, options.stalledMs ?? 10_000)
  }

  carriers(topic: string): readonly Transport[] {
    const found = [...this.inUse, ...(this.#undrained.get(topic) ?? []).map((name) => this.#carrier(name))]
    // What is volatile holds nothing after a restart, and only for this process: the log fills what is missing.
    const needsLog = this.inUse.every(({ durability }) => durability === 'memory')
    return needsLog ? [...found, this.#own] : found
  }

  async relay(topic: string): Promise<void> {
    const started = this.#relays.get(topic) ?? this.#startRelays(topic)
    this.#relays.set(topic, started)
    try {
      await started
    } catch (error) {
      this.#relays.delete(topic)
      throw error
    }
  }

  async status(topic: string): Promise<readonly ProviderStatus[]> {
    const [known, own] = await Promise.all([relayStatus(this.#needs.database), logStatus(this.#needs.database, topic)])
    return this.inUse.map(({ name: provider, isLog }) => {
      if (isLog) return { provider, ...own, failed: 0, lag: 0, healthy: true, lastError: null }
      const relay = this.#running.find((running) => running.provider.isFor(provider, topic))?.provider
      const status = known.find((each) => each.provider === provider && each.topic === topic)
      const isWell = relay === undefined ? status?.breaker !== 'open' : relay.breaker.state === 'closed'
      return {
        provider,
        healthy: isWell && status?.breaker !== 'open',
        size: own.size,
        published: status?.published ?? 0,
        failed: relay?.counts.failed ?? 0,
        lag: status?.lag ?? 0,
        lastError: isWell ? null : (relay?.breaker.lastError?.text ?? status?.lastError ?? null),
      }
    })
  }

  away(topic: string): readonly string[] {
    return this.#providers(topic, ({ isAway }) => isAway)
  }

  lagging(topic: string): readonly string[] {
    return this.#providers(topic, ({ state }) => state !== 'closed')
  }

  #providers(topic: string, are: (breaker: Breaker) => boolean): string[] {
    const names = this.inUse.map(({ name }) => name)
    return names.filter((name) =>
      this.#running.some(({ provider }) => provider.isFor(name, topic) && are(provider.breaker)),
    )
  }

  async confirm(topic: string, places: readonly LogPlace[], { mode, signal }: ConfirmOptions): Promise<string[]> {
    const providers = this.inUse.filter(({ isLog }) => !isLog).map(({ name }) => name)
    // The log is a provider that has the message already.
    const enough = mode === 'all' ? 0 : Math.max(0, this.inUse.length - 1)
    return this.#confirmations.wait({ topic, places, providers }, (missing) => missing.length <= enough, signal)
  }

  async stop(): Promise<void> {
    await this.#healing.stop()
    await Promise.allSettled(this.#relays.values())
    await Promise.all(this.#running.map((relay) => relay.stop()))
    await this.#own.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #startRelays(topic: string): Promise<readonly Relay[]> {
    const { publishTimeoutMs } = this.#options
    const options = publishTimeoutMs === undefined ? {} : { publishTimeoutMs }
    const relays: Relay[] = []
    for (const transport of this.inUse.filter(({ isLog }) => !isLog)) {
      const relay = await startRelay(this.#needs, { topic, transport }, options)
      this.#running.push(relay)
      relays.push(relay)
    }
    // Only now: a new relay starts behind those that it replaces.
    await retireOthers(this.#needs.database, topic, this.#options.providers)
    return relays
  }

  #carrier(name: string): Transport {
    if (name === ownName) return this.#own
    const opened = this.#opened.get(name) ?? this.#options.open(name)
    if (opened.name !== name) throw new PlatformError('INVALID_SETTING', `'${opened.name}' was opened for '${name}'`)
    this.#opened.set(name, opened)
    return opened
  }
}
