import type { Queryable } from '@headrace/database'
import { decodeHeaders, encodeHeaders } from '@headrace/log'
import { memberAlive } from './membership.ts'
import type { Rules } from './rules.ts'
import type { Delivery, LaneSpot } from './types.ts'

/** The queue of one subscription. */
export interface QueueName {
  readonly group: string
  readonly topic: string
}

/** A message that waits or was set aside. */
export interface ParkedMessage extends Delivery {
  readonly seq: number
  readonly queueKey: string
  /** How often a process died while this message was at the head of its key. */
  readonly trials: number
}

/** What is recorded with a message whose attempt failed. */
export interface Failure {
  readonly state: 'queued' | 'dead'
  readonly attempts: number
  readonly code: string
  readonly error: string
}

/** Longest error text that is kept, in characters. */
const errorLimit = 2_000

function storableError(error: string): string {
  return error.slice(0, errorLimit).replaceAll('\u0000', '')
}

/**
 * Which of these keys are parked, so that their messages must queue behind. The lock keeps a closer from deleting a key
 * while we put a message behind it; it does not disturb whoever works on the key.
 */
export async function lockParkedKeys(tx: Queryable, queue: QueueName, keys: readonly string[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ key: string }>({
    name: 'parking.lock-keys',
    text: `select key from headrace.parked_key where group_name = $1 and topic = $2 and key = any($3)
           order by key for key share`,
    values: [queue.group, queue.topic, keys],
  })
  return new Set(rows.map(({ key }) => key))
}

/**
 * Makes sure that the keys exist and locks them against deletion. `do nothing` locks nothing and a closer may be
 * deleting the row that it met, hence the look again, until all are seen. Keys sorted: one lock order for all.
 */
export async function ensureParkedKeys(
  tx: Queryable,
  queue: QueueName,
  keys: readonly string[],
  waitMs: number,
): Promise<void> {
  let missing = [...keys].sort()
  for (let round = 0; missing.length > 0; round += 1) {
    // Each closer that deletes a key costs a round; so many in a row cannot be.
    if (round > 20) throw new Error(`parked key '${missing[0]}' cannot be made: it is not found under this name`)
    const inserted = tx.query({
      name: 'parking.ensure-keys',
      text: `insert into headrace.parked_key (group_name, topic, key, next_try_at)
             select $1, $2, key, clock_timestamp() + $4 * interval '1 ms' from unnest($3::text[]) as key
             on conflict do nothing`,
      values: [queue.group, queue.topic, missing, waitMs],
    })
    const [seen] = await Promise.all([lockParkedKeys(tx, queue, missing), inserted])
    missing = missing.filter((key) => !seen.has(key))
  }
}

/** Puts messages into the queue, in this order: untried ones, or one that failed. The keys of queued ones must be locked. */
export async function insertParked(
  tx: Queryable,
  { group, topic, queueKey }: QueueName & Pick<Rules, 'queueKey'>,
  messages: readonly Delivery[],
  failure?: Failure,
): Promise<void> {
  const of = <T>(pick: (message: Delivery) => T) => messages.map(pick)
  await tx.query({
    name: 'parking.insert',
    text: `insert into headrace.parked_message (group_name, topic, state, attempts, code, error,
             key, message_key, partition, origin, "offset", at, message_id, type, headers, body)
           select $1, $2, $3, $4, $5, $6, key, message_key, partition, origin, "offset", to_timestamp(at / 1000), id, type,
             headers, substring($7::bytea from (sum(length) over (order by n) - length + 1)::int for length)
           from unnest($8::text[], $9::text[], $10::int[], $11::text[], $12::bigint[], $13::float8[], $14::text[],
             $15::text[], $16::text[], $17::int[])
             with ordinality as m(key, message_key, partition, origin, "offset", at, id, type, headers, length, n)
           order by n`,
    values: [
      group,
      topic,
      failure?.state ?? 'queued',
      failure?.attempts ?? 0,
      failure?.code ?? null,
      failure === undefined ? null : storableError(failure.error),
      Buffer.concat(of(({ body }) => body)),
      of(queueKey),
      of(({ key }) => key),
      of(({ spot }) => spot.partition),
      of(({ spot }) => spot.origin),
      of(({ spot }) => spot.offset),
      of(({ at }) => at),
      of(({ id }) => id),
      of(({ type }) => type),
      of(({ headers }) => encodeHeaders(headers)),
      of(({ body }) => body.byteLength),
    ],
  })
}

/** Nothing of this key runs until somebody redrives or drops its head. */
export async function blockKey(tx: Queryable, queue: QueueName, key: string): Promise<void> {
  await tx.query({
    name: 'parking.block',
    text: `update headrace.parked_key set state = 'blocked' where group_name = $1 and topic = $2 and key = $3`,
    values: [queue.group, queue.topic, key],
  })
}

/** A claimed key: ours until completed, given back, or lost with our term. */
export interface Claim extends QueueName {
  readonly key: string
  readonly owner: string
  /** Fence: raised with each claim. */
  readonly claim: number
  /** The first messages of the key. */
  readonly heads: readonly ParkedMessage[]
}

/** Most messages that are taken from a key at once. */
export const headsAtOnce = 32

type ParkedRow = Omit<ParkedMessage, 'headers' | 'topic' | 'position' | 'origin' | 'spot'> &
  LaneSpot & { readonly headers: string }

/**
 * Claims keys that are due and free, with their first messages and each head's first trial: committed before the head
 * runs, so that a process that dies with it is counted. A head that has trials is only read: it is suspected, and counts
 * when it runs alone. A key that another claimed and gave back meanwhile comes without messages: closing it finds those
 * that are left.
 */
export async function claimKeys(database: Queryable, queue: QueueName, owner: string, count: number): Promise<Claim[]> {
  const { rows } = await database.query<{ claimedKey: string; claim: number } & ({ seq: null } | ParkedRow)>({
    name: 'parking.claim',
    text: 'select * from headrace.claim_keys($1, $2, $3, $4, $5)',
    values: [queue.group, queue.topic, owner, count, headsAtOnce],
  })
  const claims = new Map<string, Claim & { readonly heads: ParkedMessage[] }>()
  for (const { claimedKey: key, claim, ...row } of rows) {
    const claimed = claims.get(key) ?? { ...queue, key, claim, owner, heads: [] }
    claims.set(key, claimed)
    if (row.seq !== null) claimed.heads.push(toParked(row, queue.topic))
  }
  return [...claims.values()]
}

/** Frees keys whose member died, and what is ours in the table only: a claim or a release whose answer was lost. */
export async function freeKeys(
  database: Queryable,
  queue: QueueName,
  ours: { readonly owner: string | undefined; readonly held: readonly string[] },
): Promise<number> {
  const { rowCount } = await database.query({
    name: 'parking.free',
    text: `update headrace.parked_key k set owner = null, next_try_at = clock_timestamp()
           where k.group_name = $1 and k.topic = $2 and k.owner is not null
             and case when k.owner = $3 then k.key <> all($4)
                 else not exists (select from headrace.member m where m.id = k.owner and ${memberAlive}) end`,
    values: [queue.group, queue.topic, ours.owner ?? null, ours.held],
  })
  return rowCount
}

/** Commits that a suspected head is about to run alone. */
export async function countTrial(database: Queryable, seq: number): Promise<void> {
  await database.query({
    name: 'parking.count-trial',
    text: 'update headrace.parked_message set trials = trials + 1 where seq = $1',
    values: [seq],
  })
}

/** Locks a claimed key for this transaction; false when the claim was lost. */
export async function holdClaim(tx: Queryable, claim: Claim): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'parking.hold',
    text: `select from headrace.parked_key
           where group_name = $1 and topic = $2 and key = $3 and owner = $4 and claim = $5 for no key update`,
    values: [claim.group, claim.topic, claim.key, claim.owner, claim.claim],
  })
  return rowCount === 1
}

/** Takes messages out of the queue; returns how many of them were still there. */
export async function deleteParked(tx: Queryable, seqs: readonly number[]): Promise<number> {
  const { rowCount } = await tx.query({
    name: 'parking.delete',
    text: 'delete from headrace.parked_message where seq = any($1)',
    values: [seqs],
  })
  return rowCount
}

/** Records a failed attempt of a head. */
export async function recordFailure(tx: Queryable, seq: number, failure: Failure): Promise<void> {
  await tx.query({
    name: 'parking.record-failure',
    text: `update headrace.parked_message set state = $2, attempts = $3, code = $4, error = $5, trials = 0,
             parked_at = case when $2 = 'dead' then clock_timestamp() else parked_at end
           where seq = $1`,
    values: [seq, failure.state, failure.attempts, failure.code, storableError(failure.error)],
  })
}

/** What becomes of a claimed key that is given back. */
export interface Release {
  /** To run again after the wait, or blocked until somebody decides. */
  readonly state: 'ready' | 'blocked'
  readonly waitMs: number
  /** The head whose trial is taken back, because it did not run to its end for a reason that is not its own. */
  readonly trialSeq?: number | undefined
}

/** Gives a claimed key back, if it is still ours. */
export async function releaseKey(tx: Queryable, claim: Claim, release: Release): Promise<void> {
  await tx.query({
    name: 'parking.release',
    text: `with released as (
             update headrace.parked_key set owner = null, state = $6,
               next_try_at = clock_timestamp() + $7 * interval '1 ms'
             where group_name = $1 and topic = $2 and key = $3 and owner = $4 and claim = $5 returning key)
           update headrace.parked_message set trials = greatest(trials - 1, 0)
           where seq = $8 and exists (select from released)`,
    values: [
      claim.group,
      claim.topic,
      claim.key,
      claim.owner,
      claim.claim,
      release.state,
      release.waitMs,
      release.trialSeq ?? -1,
    ],
  })
}

/**
 * Closes claimed keys that have nothing left. Two statements: the first locks the keys that no batch is queueing behind
 * right now; the second looks again, with a snapshot taken after the lock, so that what such a batch has committed is
 * seen. Returns the keys that are still there with messages; they are given back at once.
 */
export async function closeKeys(
  tx: Queryable,
  claims: readonly Claim[],
): Promise<{ closed: string[]; open: string[] }> {
  const first = claims[0]
  if (first === undefined) return { closed: [], open: [] }
  const names = [first.group, first.topic, first.owner] as const
  const locked = await tx.query<{ key: string }>({
    name: 'parking.lock-idle',
    replan: true,
    text: `select key from headrace.parked_key k
           where k.group_name = $1 and k.topic = $2 and k.owner = $3 and k.key = any($4)
             and (k.key, k.claim) in (select * from unnest($4::text[], $5::bigint[]))
           order by key for update of k skip locked`,
    values: [...names, claims.map(({ key }) => key), claims.map(({ claim }) => claim)],
  })
  const keys = locked.rows.map(({ key }) => key)
  const queued = `exists (select from headrace.parked_message m
    where m.group_name = k.group_name and m.topic = k.topic and m.key = k.key and m.state = 'queued')`
  const deleting = tx.query<{ key: string }>({
    name: 'parking.delete-idle',
    text: `delete from headrace.parked_key k
           where k.group_name = $1 and k.topic = $2 and k.owner = $3 and k.key = any($4) and not ${queued}
           returning k.key`,
    values: [...names, keys],
  })
  const opening = tx.query<{ key: string }>({
    name: 'parking.reopen',
    text: `update headrace.parked_key k set owner = null, next_try_at = clock_timestamp()
           where k.group_name = $1 and k.topic = $2 and k.owner = $3 and k.key = any($4) returning k.key`,
    values: [...names, keys],
  })
  const [deleted, opened] = await Promise.all([deleting, opening])
  return { closed: deleted.rows.map(({ key }) => key), open: opened.rows.map(({ key }) => key) }
}

/** Number of messages that will run by themselves, counted up to `limit`; those of blocked keys wait for somebody. */
export async function countQueued(database: Queryable, queue: QueueName, limit: number): Promise<number> {
  const { rows } = await database.query<{ count: number }>({
    name: 'parking.count',
    text: `select count(*) as count from (select from headrace.parked_message
             where group_name = $1 and topic = $2 and state = 'queued' and key not in (
               select key from headrace.parked_key where group_name = $1 and topic = $2 and state = 'blocked')
             limit $3) as queued`,
    values: [queue.group, queue.topic, limit],
  })
  return rows[0]?.count ?? 0
}

function toParked({ origin, partition, offset, ...row }: ParkedRow, topic: string): ParkedMessage {
  return {
    ...row,
    topic,
    headers: decodeHeaders(row.headers),
    position: offset,
    // Origins of foreign messages hold a slash.
    ...(origin.includes('/') ? {} : { origin: { log: origin, partition, offset } }),
    spot: { origin, partition, offset },
  }
}
