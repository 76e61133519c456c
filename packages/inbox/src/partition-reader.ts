import { backoffMs, hasCode, PlatformError, sleep } from '@headrace/runtime'
import {
  type Batch,
  type CarriedMessage,
  type CarrierPosition,
  logPartitions,
  type ReadFrom,
  type Transport,
} from '@headrace/transport'
import {
  type BatchNeeds,
  type CarrierMove,
  fenced,
  handleOnTrial,
  isFenced,
  type LaneMessage,
  type LaneRun,
} from './batch.ts'
import { type CarrierReading, isExhausted, type Progress } from './carrier-reading.ts'
import type { Combiner } from './combiner.ts'
import { type Exclusion, Turns } from './exclusion.ts'
import { storable } from './foreign.ts'
import {
  carrierPosition,
  endTrial,
  type Lane,
  type LaneAddress,
  type LanePlace,
  laneAddress,
  openLane,
  startOrigin,
  takeLanes,
  wholeBatch,
} from './lanes.ts'
import { declareLeases, type Lease, type LeaseHolder } from './leases.ts'

export interface PartitionReaderNeeds extends BatchNeeds {
  readonly carriers: readonly Transport[]
  /** Handles what all partitions of this process bring. */
  readonly combiner: Combiner
  readonly progress: Progress
  /** Trials run alone in this process. */
  readonly exclusion: Exclusion
  /** Resolves when there is room for what a batch may queue. */
  readonly room: (signal: AbortSignal) => Promise<void>
  readonly onError: (error: unknown, name: string) => void
}

/** Messages that run one by one after an owner died with a batch on trial, to find the one that killed it. */
const trialMessages = 256
/** Time in ms after which a carrier goes back to what it passed over, although nothing has arrived in between. */
const gapWaitMs = 200
/** Longest such time, once going back was in vain. */
const gapMaxWaitMs = 5_000

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
  /** Carriers that hold anything of this partition. */
  #sources: number
  /** The least offset seen of each log whose lane is not open yet. */
  readonly #unopened = new Map<string, number>()
  /** One batch of this partition at a time, whichever carrier brought it. */
  readonly #order = new Turns()
  readonly #run: Promise<void>
  /**
   * After an owner died: its lanes' next batches run alone, on record. Where one dies with such a batch, the next owner
   * runs the lane's messages one by one, on record.
   */
  readonly #suspects = new Map<Lane, 'batch' | { left: number }>()

  constructor(needs: PartitionReaderNeeds, lease: Lease) {
    this.lease = lease
    this.#needs = needs
    this.#place = { group: needs.rules.group, topic: needs.rules.topic, partition: lease.partition }
    this.#signal = AbortSignal.any([this.#stopping.signal, lease.term.signal])
    this.#sources = needs.carriers.length
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
      if (!this.lease.unreleased || this.#needs.rules.isWork) continue
      this.#suspects.set(lane, lane.trialId === undefined ? 'batch' : { left: trialMessages })
    }
  }

  /** Leases beyond the partitions of a log are those of a carrier that has more: others hold nothing of theirs. */
  async #open(transport: Transport): Promise<CarrierReading | 'nothing of ours'> {
    const lease = this.#place.partition
    const count = await transport.partitions(this.#place.topic)
    if (lease >= Math.max(count, logPartitions)) return 'nothing of ours'
    // One lease makes those that a wider carrier needs: all members see them when they next look at their shares.
    if (lease === 0 && count > logPartitions) await declareLeases(this.#needs.database, this.#place, count)
    const partition = lease % count
    const sharers = count < logPartitions ? Math.ceil((logPartitions - partition) / count) : 1
    const next = transport.isLog ? undefined : await this.#start(transport, partition)
    return { transport, partition, sharers, next, passed: undefined, vain: 0, again: new AbortController() }
  }

  /**
   * Where a carrier is read on. A group that starts at the end records it as a lane of its own, with the first lease that
   * there ever was on the partition. It reads from the beginning all the same: lanes that there are say where they stand.
   */
  async #start(transport: Transport, partition: number): Promise<CarrierPosition | undefined> {
    const { database, rules } = this.#needs
    const kept = await carrierPosition(database, this.#place, transport.name)
    if (kept === undefined && rules.startAt === 'end' && this.lease.epoch === 1) {
      const { incarnation, end } = await transport.held(rules.topic, partition)
      await this.#openLane(startOrigin(transport.name, incarnation), end - 1)
    }
    return kept
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
    if (carrier === 'nothing of ours') this.#sources -= 1
    if (carrier === undefined || carrier === 'nothing of ours') return
    this.#carriers.push(carrier)
    while (!this.#signal.aborted) await this.#persist(() => this.#readOnce(carrier))
  }

  /** Reads until something makes it start again: a hole, an error, or the end of reading. */
  async #readOnce(carrier: CarrierReading): Promise<void> {
    carrier.again = new AbortController()
    const signal = AbortSignal.any([this.#signal, carrier.again.signal])
    const { topic, group } = this.#needs.rules
    for await (const batch of carrier.transport.read(topic, carrier.partition, this.#from(carrier), {
      signal,
      group,
    })) {
      try {
        await this.#order.take(() => this.#offer(carrier, batch))
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
    if (passed !== undefined) {
      return { kind: 'position', position: { incarnation: passed.incarnation, number: passed.position } }
    }
    if (!carrier.transport.isLog) {
      return carrier.next === undefined ? { kind: 'beginning' } : { kind: 'position', position: carrier.next }
    }
    const lane = this.#lanes.get(this.#needs.log.id)
    if (lane === undefined) return { kind: 'beginning' }
    const position = { incarnation: lane.origin, number: lane.position + 1 }
    return { kind: 'position', position, atMs: lane.seenUntilMs }
  }

  /** Takes from a batch what comes next in its lanes. */
  async #offer(carrier: CarrierReading, batch: Batch): Promise<void> {
    let run: { readonly lane: Lane; readonly messages: LaneMessage[] } | undefined
    const start = this.#lanes.get(startOrigin(carrier.transport.name, batch.incarnation))?.position ?? 0
    for (const carried of batch.messages) {
      const message = carried.origin === undefined ? storable(carried) : carried
      const address = laneAddress(message, carrier.transport.name, batch.incarnation)
      if (!this.#isOurs(carrier, message)) continue
      const known = this.#lanes.get(address.origin)
      if (known === undefined && message.position <= start) continue
      const lane = known ?? (await this.#laneFrom(message, address))
      if (lane === undefined) {
        this.#passOver(carrier, batch, message, address)
        continue
      }
      if (run !== undefined && run.lane !== lane) {
        await this.#deliver(carrier, batch, run.lane, run.messages)
        run = undefined
      }
      const expected = (run?.messages.at(-1)?.address.offset ?? lane.position) + 1
      if (address.offset < expected) continue
      if (address.gapless && address.offset > expected) {
        this.#passOver(carrier, batch, message, address)
        continue
      }
      run ??= { lane, messages: [] }
      const { topic, partition } = this.#place
      const spot = { origin: address.origin, partition, offset: address.offset }
      run.messages.push({ message: { ...message, topic, spot, attempt: 1 }, address })
    }
    if (run !== undefined) await this.#deliver(carrier, batch, run.lane, run.messages)
    this.#advance(carrier, batch)
  }

  /** Foreign messages belong to the lease with the number of the carrier's partition, logged ones to their own. */
  #isOurs(carrier: CarrierReading, message: CarriedMessage): boolean {
    return (message.origin?.partition ?? carrier.partition) === this.#place.partition
  }

  /**
   * The lane that begins with this message: of a foreign producer with the first that comes, of a log elsewhere with the
   * first that any carrier holds. Undefined while another, or this one later, may hold what is before it.
   */
  async #laneFrom({ origin }: CarriedMessage, address: LaneAddress): Promise<Lane | undefined> {
    const { offset } = address
    const begins = origin?.base === undefined || offset === origin.base + 1
    const isFirst = offset === 1 || (begins && this.#needs.carriers.length === 1)
    if (!address.gapless || isFirst) return this.#openLane(address.origin, offset - 1)
    this.#unopened.set(address.origin, Math.min(this.#unopened.get(address.origin) ?? offset, offset))
    return undefined
  }

  async #openLane(origin: string, position: number): Promise<Lane> {
    const start = { origin, epoch: this.lease.epoch, position }
    const lane = await openLane(this.#needs.database, this.#place, start)
    if (lane === undefined) throw fenced({ ...this.#place, epoch: this.lease.epoch })
    this.#lanes.set(lane.origin, lane)
    return lane
  }

  #passOver(carrier: CarrierReading, batch: Batch, message: CarriedMessage, { origin, offset }: LaneAddress): void {
    if (carrier.passed !== undefined) return
    carrier.passed = { position: message.position, incarnation: batch.incarnation, origin, offset }
    carrier.vain += 1
    if (carrier.vain > 1) void this.#settle(origin, offset)
    const { again } = carrier
    void sleep(Math.min(gapWaitMs * 2 ** (carrier.vain - 1), gapMaxWaitMs), this.#signal).then(() => again.abort())
  }

  /** Once no carrier can bring what is before this offset: a gap, or where a new lane begins. */
  async #settle(origin: string, offset: number): Promise<void> {
    const exhausted = await Promise.all(this.#carriers.map((carrier) => isExhausted(carrier, this.#place.topic)))
    if (exhausted.length < this.#sources || exhausted.includes(false)) return
    await this.#order.take(async () => {
      const lane = this.#lanes.get(origin)
      if (this.#signal.aborted || (lane !== undefined && lane.position + 1 >= offset)) return
      if (lane !== undefined) return this.#needs.events.gap?.({ ...this.#place, origin, position: lane.position })
      const first = this.#unopened.get(origin) ?? offset
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

  async #deliver(carrier: CarrierReading, batch: Batch, lane: Lane, messages: readonly LaneMessage[]): Promise<void> {
    await this.#needs.room(this.#signal)
    await this.#persist(async () => {
      const { maxMessages } = this.#needs.rules
      // A batch that failed in the middle has moved the lane as far as it got.
      let rest = messages.filter(({ address }) => address.offset > lane.position)
      while (rest.length > 0 && !this.#signal.aborted) {
        const part = rest.slice(0, maxMessages)
        const fromLog = carrier.transport.isLog
        await this.#handle({ lane, messages: part, fromLog, move: this.#moveAfter(carrier, batch, part.at(-1)) })
        rest = rest.slice(maxMessages)
      }
    })
    carrier.vain = 0
    this.#reached(lane)
  }

  async #handle(run: LaneRun): Promise<void> {
    const { combiner, exclusion } = this.#needs
    const suspect = this.#suspects.get(run.lane)
    if (suspect === undefined) return combiner.submit(run)
    if (suspect !== 'batch') return this.#handleSingly(run, suspect)
    const [first] = run.messages
    const id = run.messages.length === 1 && first !== undefined ? first.message.id : wholeBatch
    await exclusion.alone(() => handleOnTrial(this.#needs, run, { id, carried: 0 }))
    this.#suspects.delete(run.lane)
  }

  async #handleSingly(batch: LaneRun, suspect: { left: number }): Promise<void> {
    const { lane, messages } = batch
    for (const message of messages.filter(({ address }) => address.offset > lane.position)) {
      if (this.#signal.aborted) return
      const run = { ...batch, messages: [message], move: undefined }
      await this.#needs.exclusion.alone(() => handleOnTrial(this.#needs, run, { id: message.message.id, carried: 1 }))
      suspect.left -= 1
    }
    if (suspect.left <= 0) this.#suspects.delete(lane)
  }

  /** Where another carrier than the log is read on after this message; nowhere new while something was passed over. */
  #moveAfter(carrier: CarrierReading, batch: Batch, last: LaneMessage | undefined): CarrierMove | undefined {
    if (carrier.transport.isLog || carrier.passed !== undefined || last === undefined) return undefined
    const next = { incarnation: batch.incarnation, number: last.message.position + 1 }
    return { carrier: carrier.transport.name, next }
  }
}
