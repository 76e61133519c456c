import type { Database } from '@headrace/database'
import { type OnBackgroundError, type Running, sleep, startLoop } from '@headrace/runtime'
import { type Membership, memberAlive, type Term } from './membership.ts'
import type { QueueName } from './parking-store.ts'

/** A lease on one partition. */
export interface Lease {
  readonly partition: number
  /** Raised with each change of owner; what an old owner writes is fenced off by it. */
  readonly epoch: number
  /** True when the last owner died with it: one of its messages may be the reason. */
  readonly unreleased: boolean
  readonly term: Term
}

/** Reads one partition while its lease is held; made by `LeaseOptions.start`. */
export interface LeaseHolder {
  readonly lease: Lease
  /** True when it ended by itself, because the lease was lost. */
  readonly ended: boolean
  /** Finishes the batch at hand and stops reading. */
  stop(): Promise<void>
}

export interface LeaseOptions {
  readonly group: string
  readonly topic: string
  /** Starts reading a partition that was just leased. */
  readonly start: (lease: Lease) => LeaseHolder
}

export interface LeaseNeeds {
  readonly database: Database
  readonly membership: Membership
  readonly onError: OnBackgroundError
}

export interface LeaseKeeper extends AsyncDisposable {
  readonly held: readonly number[]
  /** Stops all holders and releases their leases for others to take at once. */
  stop(): Promise<void>
}

/** Pause in ms between two looks at the shares; a change of members is told at once. */
const lookMs = 1_000

/**
 * Keeps this process's fair share of a topic's partitions: n leases among m live members make n/m each, the first
 * n mod m members (by id) one more. Each member gives back what is too much and takes what is free until it has its
 * share, so that shares settle without a coordinator.
 */
export function startLeases(needs: LeaseNeeds, options: LeaseOptions): LeaseKeeper {
  return new ShareKeeper(needs, options)
}

class ShareKeeper implements LeaseKeeper {
  readonly #needs: LeaseNeeds
  readonly #options: LeaseOptions
  readonly #holders = new Map<number, LeaseHolder>()
  readonly #loop: Running
  readonly #unsubscribe: readonly (() => void)[]
  #wake = new AbortController()
  /** True after a statement failed whose outcome is not known: leases may be ours that nobody here reads. */
  #doubtful = false

  constructor(needs: LeaseNeeds, options: LeaseOptions) {
    this.#needs = needs
    this.#options = options
    const leave = needs.membership.join(`${options.group} ${options.topic}`)
    const deafen = needs.membership.onChange(() => this.#wake.abort())
    this.#unsubscribe = [leave, deafen]
    this.#loop = startLoop({
      name: `leases of ${options.group}`,
      run: (signal) => this.#look(signal),
      onError: needs.onError,
    })
  }

  get held(): readonly number[] {
    return [...this.#holders.keys()].sort((a, b) => a - b)
  }

  async stop(): Promise<void> {
    for (const end of this.#unsubscribe) end()
    this.#wake.abort()
    await this.#loop.stop()
    await this.#giveBack([...this.#holders.keys()])
    this.#needs.membership.ring()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #look(stopping: AbortSignal): Promise<void> {
    this.#wake = new AbortController()
    const { term } = this.#needs.membership
    await this.#dropEnded(term)
    if (term !== undefined && !term.signal.aborted) {
      if (this.#doubtful) await this.#releaseStrays(term)
      await this.#dropLost(term)
      await this.#settle(term)
    }
    await sleep(lookMs, AbortSignal.any([stopping, this.#wake.signal]))
  }

  /** Forgets holders whose lease was lost, or belongs to a term that is over. */
  async #dropEnded(term: Term | undefined): Promise<void> {
    const over = [...this.#holders.values()].filter((holder) => holder.ended || holder.lease.term !== term)
    await Promise.all(over.map((holder) => holder.stop()))
    for (const { lease } of over) this.#holders.delete(lease.partition)
    // One that ended with an unknown outcome may still be ours; whoever takes it next reads where it stands.
    const ours = over.filter(({ lease }) => lease.term === term)
    if (ours.length > 0) await this.#release(ours)
  }

  /**
   * Stops reading what is no longer ours in the table: a member that joined a moment ago was not known as live to
   * another that took its leases. A reader with something to commit notices by itself; one without never would.
   */
  async #dropLost(term: Term): Promise<void> {
    if (this.#holders.size === 0) return
    const { rows } = await this.#needs.database.query<{ partition: number; epoch: number }>({
      name: 'lease.ours',
      text: 'select partition, epoch from headrace.lease where group_name = $1 and topic = $2 and owner = $3',
      values: [this.#options.group, this.#options.topic, term.id],
    })
    const ours = new Map(rows.map(({ partition, epoch }) => [partition, epoch]))
    const lost = [...this.#holders.values()].filter(({ lease }) => ours.get(lease.partition) !== lease.epoch)
    await Promise.all(lost.map((holder) => holder.stop()))
    for (const { lease } of lost) this.#holders.delete(lease.partition)
  }

  async #settle(term: Term): Promise<void> {
    const { live, partitions } = await this.#standing()
    const rank = live.indexOf(term.id)
    // Not yet seen with this subscription: the next heartbeat tells it.
    if (rank < 0) return
    const share = Math.floor(partitions / live.length) + (rank < partitions % live.length ? 1 : 0)
    if (this.#holders.size > share) await this.#giveBack(this.held.slice(share))
    else if (this.#holders.size < share) await this.#take(term, live, share - this.#holders.size)
  }

  /** The live members by id, and how many leases there are to share. */
  async #standing(): Promise<{ live: string[]; partitions: number }> {
    const { group, topic } = this.#options
    const { rows } = await this.#needs.database.query<{ live: string[]; partitions: number }>({
      name: 'lease.standing',
      text: `select array(select m.id::text from headrace.member m
                          where $1 = any(m.subscriptions) and ${memberAlive} order by m.id) as live,
               (select count(*)::int from headrace.lease where group_name = $2 and topic = $3) as partitions`,
      values: [`${group} ${topic}`, group, topic],
    })
    return rows[0] ?? { live: [], partitions: 0 }
  }

  async #take(term: Term, live: readonly string[], count: number): Promise<void> {
    this.#doubtful = true
    const { rows } = await this.#needs.database.query<{ partition: number; epoch: number; unreleased: boolean }>({
      name: 'lease.take',
      text: `with free as (
               select partition, not released as unreleased from headrace.lease
               where group_name = $1 and topic = $2 and (owner is null or owner <> all($3::uuid[]))
               order by partition limit $4 for update skip locked)
             update headrace.lease l set owner = $5, epoch = l.epoch + 1, released = false from free
             where l.group_name = $1 and l.topic = $2 and l.partition = free.partition
             returning l.partition, l.epoch, free.unreleased`,
      values: [this.#options.group, this.#options.topic, live, count, term.id],
    })
    this.#doubtful = false
    for (const row of rows) this.#holders.set(row.partition, this.#options.start({ ...row, term }))
  }

  /** Lets others take what is ours in the table only: a lease or a release whose answer was lost. */
  async #releaseStrays(term: Term): Promise<void> {
    const { rowCount } = await this.#needs.database.query({
      name: 'lease.release-strays',
      text: `update headrace.lease set owner = null
             where group_name = $1 and topic = $2 and owner = $3 and partition <> all($4::int[])`,
      values: [this.#options.group, this.#options.topic, term.id, this.held],
    })
    this.#doubtful = false
    if (rowCount > 0) this.#needs.membership.ring()
  }

  async #giveBack(partitions: readonly number[]): Promise<void> {
    const holders = partitions.flatMap((partition) => this.#holders.get(partition) ?? [])
    await Promise.all(holders.map((holder) => holder.stop()))
    for (const partition of partitions) this.#holders.delete(partition)
    await this.#release(holders)
    if (holders.length > 0) this.#needs.membership.ring()
  }

  /** Only what is still ours: the epoch says so. */
  async #release(holders: readonly LeaseHolder[]): Promise<void> {
    const { group, topic } = this.#options
    try {
      await this.#needs.database.query({
        name: 'lease.release',
        text: `update headrace.lease l set owner = null, released = true
               from unnest($3::int[], $4::bigint[], $5::uuid[]) as mine(partition, epoch, owner)
               where l.group_name = $1 and l.topic = $2 and l.partition = mine.partition and l.epoch = mine.epoch
                 and l.owner = mine.owner`,
        values: [
          group,
          topic,
          holders.map(({ lease }) => lease.partition),
          holders.map(({ lease }) => lease.epoch),
          holders.map(({ lease }) => lease.term.id),
        ],
      })
    } catch (error) {
      this.#doubtful = true
      this.#needs.onError(error, `leases of ${group}`)
    }
  }
}

/** Makes the lease rows of a subscription, or those that it lacks. */
export async function declareLeases(database: Database, { group, topic }: QueueName, count: number): Promise<void> {
  await database.query({
    text: `insert into headrace.lease (group_name, topic, partition)
           select $1, $2, p from generate_series(0, $3::int - 1) as p on conflict do nothing`,
    values: [group, topic, count],
  })
}
