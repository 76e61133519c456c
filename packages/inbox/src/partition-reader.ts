import { backoffMs, hasCode, PlatformError, sleep } from '@headrace/runtime'
import { type Batch, type CarriedMessage, logPartitions, type ReadFrom, type Transport } from '@headrace/transport'
import { fenced, isFenced } from './batch.ts'
import { type CarrierReading, isAnew, isExhausted, moveAfter, type Progress, waitMs } from './carrier-reading.ts'
import { Turns } from './exclusion.ts'
import { storable } from './foreign.ts'
import { carrierPosition, endTrial, type Lane, type LanePlace, type LaneRun, openLane, takeLanes } from './lanes.ts'
import { declareLeases, type Lease, type LeaseHolder } from './leases.ts'
import { Suspects, type SuspectsNeeds } from './suspects.ts'
import type { Delivery } from './types.ts'

export interface PartitionReaderNeeds extends SuspectsNeeds {
  readonly carriers: readonly Transport[]
  readonly progress: Progress
  /** Resolves when there is room for what a batch may queue. */
  readonly room: (signal: AbortSignal) => Promise<void>
  readonly onError: (error: unknown, name: string) => void
}

/** Times that a carrier goes back in vain, some 6 s, before a lane opens behind where its relay says that it began. */
const vainBeforeDropped = 6

/**
 * Reads one leased partition from every carrier and hands messages to their lanes. A lane takes only the message that
 * comes next: what is behind it was handled before; what is ahead proves that something is missing, so the carrier
 * goes back to it once another carrier has brought what is in between, or after a while.
 *
 * Modes: taking over → reading → ended (lease lost) or stopped.
 */
export class PartitionReader implements LeaseHolder {
  readonly lease: Lease
  ended = false
  readonly #needs: PartitionReaderNeeds
  readonly #place: LanePlace
  readonly #stopping = new AbortController()
  readonly #signal: AbortSignal
  readonly #lanes = new Map<string, Lane>()
  readonly #carriers: CarrierReading[] = []
  /** Of each log whose lane is not open yet the least offset seen, and where its relay said that it began. */
  readonly #unopened = new Map<string, { readonly first: number; readonly base: number | undefined }>()
  /** One batch of this partition at a time, whichever carrier brought it. */
  readonly #order = new Turns()
  readonly #run: Promise<void>
  readonly #suspects: Suspects

  constructor(needs: PartitionReaderNeeds, lease: Lease) {
    this.lease = lease
    this.#needs = needs
    this.#place = { group: needs.rules.group, topic: needs.rules.topic, partition: lease.partition }
    this.#signal = AbortSignal.any([this.#stopping.signal, lease.term.signal])
    this.#suspects = new Suspects(needs, this.#signal)
    this.#run = this.#read()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#run
    for (const lane of this.#lanes.values()) {
      if (lane.ownTrialId === undefined) continue
      await endTrial(this.#needs.database, lane).catch((error: unknown) => this.#needs.onError(error, 'trial'))
    }
  }

  async #read(): Promise<void> {
    try {
      await this.#takeOver()
      // Each by itself: one that is away keeps none of the others from being read.
      await Promise.all(this.#needs.carriers.map((transport) => this.#readFrom(transport)))
    } catch (error) {
      if (!isFenced(error)) this.#needs.onError(error, `reading ${this.#place.topic}/${this.#place.partition}`)
    }
    this.ended = true
    this.#stopping.abort()
    this.#needs.progress.forget(this.lease.partition)
  }

  async #takeOver(): Promise<void> {
    const { database, faults } = this.#needs
    await faults.at('takeover.before-commit')
    const lanes = await this.#persist(() => takeLanes(database, this.#place, this.lease.epoch))
    await faults.at('takeover.after-commit')
    for (const lane of lanes ?? []) {
      this.#lanes.set(lane.origin, lane)
      // Work is handled elsewhere; its batches run nobody's code.
      if (this.lease.unreleased && !this.#needs.rules.isWork) this.#suspects.add(lane)
    }
  }

  async #open(transport: Transport): Promise<CarrierReading> {
    const next = transport.isLog ? undefined : await carrierPosition(this.#needs.database, this.#place, transport.name)
    const part = await this.#partOf(transport)
    return { transport, ...part, next, passed: undefined, holes: new Map(), again: new AbortController() }
  }

  /** What this lease reads of a carrier, which may have another number of partitions once its topic is made anew. */
  async #partOf(transport: Transport): Promise<Pick<CarrierReading, 'partition' | 'sharers'>> {
    const lease = this.#place.partition
    const count = await transport.partitions(this.#place.topic)
    // One lease makes those that a wider carrier needs: all members see them when they next look at their shares.
    if (lease === 0 && count > logPartitions) await declareLeases(this.#needs.database, this.#place, count)
    const partition = lease % count
    // A lease beyond what this carrier has finds nothing of its own there, and has no say in what was passed.
    const isOwner = lease < Math.max(count, logPartitions)
    const sharers = isOwner ? Math.max(Math.ceil((logPartitions - partition) / count), 1) : Number.POSITIVE_INFINITY
    return { partition, sharers }
  }

  /** Repeats until it succeeds or reading ends: infrastructure that is away only takes time. */
  async #persist<T>(action: () => Promise<T>): Promise<T | undefined> {
    for (let attempt = 1; !this.#signal.aborted; attempt += 1) {
      try {
        return await action()
      } catch (error) {
        if (isFenced(error) || hasCode(error, 'COMMIT_UNKNOWN')) throw error
        this.#needs.onError(error, `reading ${this.#place.topic}/${this.#place.partition}`)
        await sleep(backoffMs(attempt, { baseMs: 50, maxMs: 2_000 }), this.#signal)
      }
    }
    return undefined
  }

  async #readFrom(transport: Transport): Promise<void> {
    const carrier = await this.#persist(() => this.#open(transport))
    if (carrier === undefined) return
    this.#carriers.push(carrier)
    while (!this.#signal.aborted) await this.#persist(() => this.#readOnce(carrier))
  }

  /** Reads until something makes it start again: a hole, an error, or the end of reading. */
  async #readOnce(carrier: CarrierReading): Promise<void> {
    carrier.again = new AbortController()
    const signal = AbortSignal.any([this.#signal, carrier.again.signal])
    const { topic, group } = this.#needs.rules
    Object.assign(carrier, await this.#partOf(carrier.transport))
    const batches = carrier.transport.read(topic, carrier.partition, this.#from(carrier), { signal, group })
    for await (const batch of batches) {
      try {
        if (isAnew(carrier, batch)) carrier.again.abort()
        else await this.#order.take(() => this.#offer(carrier, batch))
      } catch (error) {
        // Leaving the loop closes the read, which may be waiting for a next batch.
        carrier.again.abort()
        throw error
      }
      if (signal.aborted) return
    }
    if (!signal.aborted) throw new PlatformError('QUEUE_UNAVAILABLE', `${carrier.transport.name} ended its read`)
  }

  #from(carrier: CarrierReading): ReadFrom {
    const { passed } = carrier
    carrier.passed = undefined
    for (const hole of carrier.holes.values()) hole.isMet = false
    if (passed !== undefined) {
      return { kind: 'position', position: { incarnation: passed.incarnation, number: passed.position } }
    }
    if (!carrier.transport.isLog) {
      return carrier.next === undefined ? { kind: 'beginning' } : { kind: 'position', position: carrier.next }
    }
    const lane = this.#lanes.get(this.#needs.log.id)
    if (lane === undefined) return { kind: 'beginning' }
    carrier.next = { incarnation: lane.origin, number: lane.position + 1 }
    return { kind: 'position', position: carrier.next, atMs: lane.seenUntilMs }
  }

  /** Takes from a batch what comes next in its lanes. */
  async #offer(carrier: CarrierReading, batch: Batch): Promise<void> {
    let run: { readonly lane: Lane; readonly messages: Delivery[] } | undefined
    for (const carried of batch.messages) {
      const message = this.#delivery(carrier, batch, carried)
      if (message === undefined) continue
      const { origin, offset } = message.spot
      const lane = this.#lanes.get(origin) ?? (await this.#laneFrom(message))
      if (lane === undefined) {
        this.#passOver(carrier, batch, message)
        continue
      }
      if (run !== undefined && run.lane !== lane) {
        await this.#deliver(carrier, batch, run)
        run = undefined
      }
      const expected = (run?.messages.at(-1)?.spot.offset ?? lane.position) + 1
      if (offset < expected) continue
      if (message.origin !== undefined && offset > expected) {
        this.#passOver(carrier, batch, message)
        continue
      }
      run ??= { lane, messages: [] }
      run.messages.push(message)
    }
    if (run !== undefined) await this.#deliver(carrier, batch, run)
    this.#advance(carrier, batch)
  }

  /** The message at its place: a logged one in its log's lane, a foreign one in the lane of what brought it. */
  #delivery(carrier: CarrierReading, { incarnation }: Batch, carried: CarriedMessage): Delivery | undefined {
    const { topic, partition } = this.#place
    const { origin, position } = carried
    // Foreign messages belong to the lease with the number of the carrier's partition, logged ones to their own.
    if ((origin?.partition ?? carrier.partition) !== partition) return undefined
    const spot =
      origin === undefined
        ? { origin: `${carrier.transport.name}/${incarnation}`, partition, offset: position }
        : { origin: origin.log, partition, offset: origin.offset }
    // On a broker anybody may say that a message is from a log.
    return { ...(carrier.transport.isLog ? carried : storable(carried)), topic, spot, attempt: 1 }
  }

  /**
   * The lane that begins with this message: of a foreign producer with the first that comes, of a log elsewhere with the
   * first that any carrier holds. Undefined while another, or this one later, may hold what is before it.
   */
  async #laneFrom({ origin, spot }: Delivery): Promise<Lane | undefined> {
    const { offset } = spot
    const inherited = origin && !this.#unopened.has(origin.log) ? await this.#inherited(origin.log) : undefined
    if (inherited !== undefined) return this.#openLane(spot.origin, inherited)
    const begins = origin?.base === undefined || offset === origin.base + 1
    const isFirst = offset === 1 || (begins && this.#needs.carriers.length === 1)
    if (origin === undefined || isFirst) return this.#openLane(spot.origin, offset - 1)
    const first = Math.min(this.#unopened.get(spot.origin)?.first ?? offset, offset)
    this.#unopened.set(spot.origin, { first, base: origin.base })
    return undefined
  }

  /** Where the lane of a log goes on that was restored from one with a lane here. */
  async #inherited(log: string): Promise<number | undefined> {
    const { topic, partition } = this.#place
    const past = await Promise.all(this.#needs.carriers.map((carrier) => carrier.past?.(log, topic, partition) ?? []))
    const found = past.flat().find(({ origin }) => this.#lanes.has(origin))
    return found && Math.min(this.#lanes.get(found.origin)?.position ?? 0, found.last)
  }

  async #openLane(origin: string, position: number): Promise<Lane> {
    const start = { origin, epoch: this.lease.epoch, position }
    const lane = await openLane(this.#needs.database, this.#place, start)
    if (lane === undefined) throw fenced({ ...this.#place, epoch: this.lease.epoch })
    this.#lanes.set(lane.origin, lane)
    return lane
  }

  #passOver(carrier: CarrierReading, { incarnation }: Batch, { position, spot }: Delivery): void {
    const { origin, offset } = spot
    const { again, holes } = carrier
    const { vain: before, isMet } = holes.get(origin) ?? { vain: 0, isMet: false }
    if (isMet) return
    const vain = before + 1
    holes.set(origin, { vain, isMet: true })
    if (carrier.passed === undefined) {
      carrier.passed = { position, incarnation, origin, offset }
      void sleep(waitMs(vain), this.#signal).then(() => again.abort())
    }
    if (vain === 1) return
    const settling = this.#settle(origin, offset, vain)
    settling.catch((error: unknown) => this.#needs.onError(error, `opening ${this.#place.topic}`))
  }

  /** Once no carrier can bring what is before this offset: a gap, or where a new lane begins. */
  async #settle(origin: string, offset: number, vain: number): Promise<void> {
    const exhausted = await Promise.all(this.#carriers.map((carrier) => isExhausted(carrier, this.#place.topic)))
    if (exhausted.length < this.#needs.carriers.length || exhausted.includes(false)) return
    await this.#order.take(async () => {
      const lane = this.#lanes.get(origin)
      if (this.#signal.aborted || (lane !== undefined && lane.position + 1 >= offset)) return
      if (lane !== undefined) return this.#needs.events.gap?.({ ...this.#place, origin, position: lane.position })
      const { first = offset, base } = this.#unopened.get(origin) ?? {}
      // A relay that was cut off publishes again at once; what retention has dropped never comes.
      if (base !== undefined && first > base + 1 && vain < vainBeforeDropped) return
      this.#reached(await this.#openLane(origin, first - 1))
    })
  }

  /** Sends back to what they passed over whoever waited for this. */
  #reached(lane: Lane): void {
    for (const { passed, again } of this.#carriers) {
      if (passed?.origin === lane.origin && passed.offset <= lane.position + 1) again.abort()
    }
  }

  #advance(carrier: CarrierReading, batch: Batch): void {
    const last = batch.messages.at(-1)
    // Once reading ends, what was offered last may not have been handled.
    if (last === undefined || carrier.passed !== undefined || this.#signal.aborted) return
    carrier.next = { incarnation: batch.incarnation, number: last.position + 1 }
    this.#needs.progress.tell(this.#place.group, this.#place.topic, this.#place.partition, carrier)
  }

  async #deliver(carrier: CarrierReading, batch: Batch, { lane, messages }: Pick<LaneRun, 'lane' | 'messages'>) {
    await this.#needs.room(this.#signal)
    await this.#persist(async () => {
      const { maxMessages } = this.#needs.rules
      // A batch that failed in the middle has moved the lane as far as it got.
      let rest = messages.filter(({ spot }) => spot.offset > lane.position)
      while (rest.length > 0 && !this.#signal.aborted) {
        const part = rest.slice(0, maxMessages)
        const fromLog = carrier.transport.isLog
        await this.#suspects.handle({ lane, messages: part, fromLog, move: moveAfter(carrier, batch, part.at(-1)) })
        rest = rest.slice(maxMessages)
      }
    })
    // What other lanes wait for is no nearer.
    carrier.holes.delete(lane.origin)
    this.#reached(lane)
  }
}
