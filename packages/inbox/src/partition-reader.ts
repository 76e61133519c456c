import { createHash } from 'node:crypto'
import { backoffMs, hasCode, PlatformError, sleep } from '@headrace/runtime'
import type { Batch, CarriedMessage, CarrierPosition, ReadFrom, Transport } from '@headrace/transport'
import {
  type BatchNeeds,
  type CarrierMove,
  fenced,
  handleOnTrial,
  isFenced,
  type LaneMessage,
  type LaneRun,
} from './batch.ts'
import type { Combiner } from './combiner.ts'
import { type Exclusion, Turns } from './exclusion.ts'
import {
  carrierPosition,
  endTrial,
  type Lane,
  type LaneAddress,
  type LanePlace,
  laneAddress,
  openLane,
  takeLanes,
  wholeBatch,
} from './lanes.ts'
import type { Lease, LeaseHolder } from './leases.ts'

export interface PartitionReaderNeeds extends BatchNeeds {
  readonly carriers: readonly Transport[]
  /** Handles what all partitions of this process bring. */
  readonly combiner: Combiner
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

/** One carrier of this partition, and where its reading stands. */
interface CarrierReading {
  readonly transport: Transport
  /** The carrier's own partition: ours modulo its number. */
  readonly partition: number
  next: CarrierPosition | undefined
  /** The first position that was passed over because something before it is missing. */
  passed:
    | { readonly position: number; readonly incarnation: string; readonly lane: Lane; readonly offset: number }
    | undefined
  /** Times that going back found the same hole again. */
  vain: number
  /** Ends the present read, to start again at `passed` or `next`. */
  again: AbortController
}

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
  /** One batch of this partition at a time, whichever carrier brought it. */
  readonly #order = new Turns(1)
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

  async #open(transport: Transport): Promise<CarrierReading> {
    const { database, rules } = this.#needs
    const partition = this.#place.partition % (await transport.partitions(rules.topic))
    const next = transport.isLog ? undefined : await carrierPosition(database, this.#place, transport.name)
    return { transport, partition, next, passed: undefined, vain: 0, again: new AbortController() }
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
    for (const carried of batch.messages) {
      const message = carried.origin === undefined ? storable(carried) : carried
      const address = laneAddress(message, carrier.transport.name, batch.incarnation)
      if (!this.#isOurs(carrier, message)) continue
      const lane = this.#lanes.get(address.origin) ?? (await this.#openLane(address))
      if (run !== undefined && run.lane !== lane) {
        await this.#deliver(carrier, batch, run.lane, run.messages)
        run = undefined
      }
      const expected = (run?.messages.at(-1)?.address.offset ?? lane.position) + 1
      if (address.offset < expected) continue
      if (address.gapless && address.offset > expected) {
        this.#passOver(carrier, batch, message, lane, address)
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

  async #openLane(address: LaneAddress): Promise<Lane> {
    // A lane of a foreign producer, or of a log elsewhere, begins where its carrier does.
    const start = { origin: address.origin, epoch: this.lease.epoch, position: address.offset - 1 }
    const lane = await openLane(this.#needs.database, this.#place, start)
    if (lane === undefined) throw fenced({ ...this.#place, epoch: this.lease.epoch })
    this.#lanes.set(lane.origin, lane)
    return lane
  }

  #passOver(carrier: CarrierReading, batch: Batch, message: CarriedMessage, lane: Lane, address: LaneAddress): void {
    if (carrier.passed !== undefined) return
    const { incarnation } = batch
    carrier.passed = { position: message.position, incarnation, lane, offset: address.offset }
    carrier.vain += 1
    if (carrier.vain > 1 && this.#carriers.every(({ passed }) => passed !== undefined)) {
      this.#needs.events.gap?.({ ...this.#place, origin: lane.origin, position: lane.position })
    }
    const { again } = carrier
    void sleep(Math.min(gapWaitMs * 2 ** (carrier.vain - 1), gapMaxWaitMs), this.#signal).then(() => again.abort())
  }

  #advance(carrier: CarrierReading, batch: Batch): void {
    const last = batch.messages.at(-1)
    // Once reading ends, what was offered last may not have been handled.
    if (last === undefined || carrier.passed !== undefined || this.#signal.aborted) return
    carrier.next = { incarnation: batch.incarnation, number: last.position + 1 }
    carrier.transport.passed?.(this.#place.group, this.#place.topic, carrier.partition, carrier.next)
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
    for (const other of this.#carriers) {
      if (other.passed?.lane === lane && other.passed.offset <= lane.position + 1) other.again.abort()
    }
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

/** Longest key, id or type of a foreign message, in characters; longer ones are cut and told apart by a digest. */
const nameLimit = 256

/** A foreign producer's key, id and type as our tables can hold them. */
function storable(message: CarriedMessage): CarriedMessage {
  const { key, id, type } = message
  return { ...message, key: storableName(key), id: storableName(id), type: storableName(type) }
}

function storableName(name: string): string {
  const clean =
    name.isWellFormed() && !name.includes('\u0000') ? name : name.toWellFormed().replaceAll('\u0000', '\ufffd')
  if (clean === name && name.length <= nameLimit) return name
  // What was changed keeps its identity: different names stay different.
  return `${clean.slice(0, nameLimit)}~${createHash('sha256').update(name, 'utf16le').digest('hex')}`
}
