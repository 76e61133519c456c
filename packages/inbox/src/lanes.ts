import type { Database, Queryable } from '@headrace/database'
import { type Log, pastOf, retentionLock } from '@headrace/log'
import type { CarrierPosition } from '@headrace/transport'
import type { QueueName } from './parking-store.ts'
import type { Delivery } from './types.ts'

/** What identifies a lane, together with its origin. */
export interface LanePlace extends QueueName {
  readonly partition: number
}

/** A lane as its reader knows it. */
export interface Lane extends LanePlace {
  readonly origin: string
  readonly epoch: number
  /** The last offset of the contiguous prefix that was handled or parked. */
  position: number
  seenUntilMs: number
  /** What was running alone when the last owner died; the whole batch, a message, or nothing recorded. */
  readonly trialId: string | undefined
  /** What this process has recorded as running alone, and the deaths put down to it before. */
  ownTrialId: string | undefined
  trials: number
  /** How many more batches learn whether their keys are parked before anything of them is handled. */
  cautious: number
}

/** Consecutive messages of one lane, the next ones that it takes. */
export interface LaneRun {
  readonly lane: Lane
  readonly messages: readonly Delivery[]
  /** Whether the log itself brought them: only its time may prune reads of the log. */
  readonly fromLog: boolean
  /** Where the carrier that brought them is read on; undefined for the log, whose lane says it. */
  readonly move?: CarrierMove | undefined
}

export interface CarrierMove {
  readonly carrier: string
  readonly next: CarrierPosition
}

type LaneRow = Pick<Lane, 'origin' | 'position' | 'epoch' | 'seenUntilMs'> & { readonly trialId: string | null }

const laneColumns = `origin, position, epoch, trial_id as "trialId",
  case when seen_until = '-infinity' then 0 else extract(epoch from seen_until)::float8 * 1000 end as "seenUntilMs"`

/**
 * Takes a partition's lanes over by raising their epoch. This waits for the batch that an old owner may be committing,
 * so the positions that come back are final for it.
 */
export async function takeLanes(database: Queryable, place: LanePlace, epoch: number): Promise<Lane[]> {
  const { rows } = await database.query<LaneRow>({
    name: 'lane.take',
    text: `update headrace.lane set epoch = $4 where group_name = $1 and topic = $2 and partition = $3 and epoch <= $4
           returning ${laneColumns}`,
    values: [place.group, place.topic, place.partition, epoch],
  })
  return rows.map((row) => toLane(row, place))
}

/** Records a new lane and returns it, or the one there is; undefined when a later owner has taken that. */
export async function openLane(
  database: Database,
  place: LanePlace,
  start: { readonly origin: string; readonly epoch: number; readonly position: number },
): Promise<Lane | undefined> {
  const { rows } = await database.query<LaneRow>({
    name: 'lane.open',
    text: `insert into headrace.lane as l (group_name, topic, partition, origin, position, epoch)
           values ($1, $2, $3, $4, $5, $6)
           on conflict (group_name, topic, partition, origin) do update set epoch = excluded.epoch where l.epoch <= excluded.epoch
           returning ${laneColumns}`,
    values: [place.group, place.topic, place.partition, start.origin, start.position, start.epoch],
  })
  return rows[0] && toLane(rows[0], place)
}

/**
 * Records a group's lanes over the log of this database, once, before anything is read: from then on retention keeps
 * what they have not passed. Under retention's own lock, so that neither misses the other. A lane over a new incarnation
 * of the log goes on where the latest one stood, but not beyond any head that a copy since was found with.
 */
export async function declareLogLanes(database: Database, log: Log, { group, topic }: QueueName): Promise<void> {
  await database.inTransaction(async (tx) => {
    await tx.query({ text: `select pg_advisory_xact_lock(${retentionLock})` })
    await tx.query({
      text: `with recursive ${pastOf('$3')}
             insert into headrace.lane (group_name, topic, partition, origin, position)
             select $1, $2, h.partition, $3::text, coalesce(
               (select least(old.position, (select min((p.heads ->> (h.topic || '/' || h.partition))::bigint) - 1
                                            from past p where p.n <= past.n))
                from past join headrace.lane old on old.origin = past.origin and old.group_name = $1
                  and old.topic = h.topic and old.partition = h.partition
                order by past.n limit 1),
               coalesce((select min("offset") from headrace.log l
                         where l.topic = h.topic and l.partition = h.partition), h.next_offset) - 1)
             from headrace.log_head h where h.topic = $2
               -- "on conflict" alone would wait for each batch that is moving such a lane.
               and not exists (select from headrace.lane l where l.group_name = $1 and l.topic = h.topic
                               and l.partition = h.partition and l.origin = $3::text)
             on conflict do nothing`,
      values: [group, topic, log.id],
    })
  })
}

/**
 * The first statement of every batch transaction: moves lanes of one group and topic behind their runs, each provided
 * that nobody else did and that its lease is ours. False: one of them is fenced, so nothing may be committed. It ends
 * trials, too.
 */
export async function moveLanes(tx: Queryable, runs: readonly LaneRun[]): Promise<boolean> {
  const of = <T>(pick: (lane: Lane) => T) => runs.map(({ lane }) => pick(lane))
  const { rowCount } = await tx.query({
    name: 'lane.move',
    text: `update headrace.lane l set position = m.next, last_id = m.id, seen_until = coalesce(to_timestamp(m.at / 1000), l.seen_until),
             trial_id = null, trials = 0
           from unnest($3::int[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::float8[])
             as m(partition, origin, epoch, position, next, id, at)
           where l.group_name = $1 and l.topic = $2 and l.partition = m.partition and l.origin = m.origin
             and l.epoch = m.epoch and l.position = m.position and m.next > m.position`,
    values: [
      runs[0]?.lane.group,
      runs[0]?.lane.topic,
      of(({ partition }) => partition),
      of(({ origin }) => origin),
      of(({ epoch }) => epoch),
      of(({ position }) => position),
      runs.map(({ messages }) => messages.at(-1)?.spot.offset),
      runs.map(({ messages }) => messages.at(-1)?.id),
      runs.map(({ messages, fromLog }) => (fromLog ? messages.at(-1)?.at : null)),
    ],
  })
  return rowCount === runs.length
}

/** Takes note that a run was committed. */
export function advance({ lane, messages, fromLog }: LaneRun): void {
  const last = messages.at(-1)
  if (last === undefined) return
  lane.position = last.spot.offset
  if (fromLog) lane.seenUntilMs = last.at
}

/** Stands for a whole batch where a trial names what is running. */
export const wholeBatch = '*'

/**
 * Commits what is about to run alone: a message, or the whole batch. Returns how many deaths of a process are put down
 * to it so far; those of the batch that it was in count too (`carried`). Undefined: fenced.
 */
export async function recordTrial(
  database: Queryable,
  lane: Lane,
  trial: { readonly id: string; readonly carried: number },
): Promise<number | undefined> {
  const { rows } = await database.query<{ trials: number }>({
    name: 'lane.trial',
    text: `update headrace.lane set trial_id = $6, trials = case when trial_id = $6 then trials + 1 else 1 + $7::int end
           where group_name = $1 and topic = $2 and partition = $3 and origin = $4 and epoch = $5
           returning trials`,
    values: [lane.group, lane.topic, lane.partition, lane.origin, lane.epoch, trial.id, trial.carried],
  })
  return rows[0] && rows[0].trials - 1
}

/** Takes a recorded trial back, when reading stops and the process did not die. */
export async function endTrial(database: Queryable, lane: Lane): Promise<void> {
  await database.query({
    name: 'lane.end-trial',
    text: `update headrace.lane set trials = trials - 1, trial_id = case when trials > 1 then trial_id end
           where group_name = $1 and topic = $2 and partition = $3 and origin = $4 and epoch = $5 and trial_id = $6`,
    values: [lane.group, lane.topic, lane.partition, lane.origin, lane.epoch, lane.ownTrialId ?? null],
  })
}

/** Where a group resumes in a carrier that is not the log. */
export async function carrierPosition(database: Queryable, place: LanePlace, carrier: string) {
  const { rows } = await database.query<CarrierPosition>({
    name: 'carrier.position',
    text: `select incarnation, next_number as number from headrace.carrier_position
           where group_name = $1 and topic = $2 and partition = $3 and carrier = $4`,
    values: [place.group, place.topic, place.partition, carrier],
  })
  return rows[0]
}

/** Keeps where the carriers that brought the runs are read on, moved together with their lanes. */
export async function keepPlaces(tx: Queryable, runs: readonly LaneRun[]): Promise<void> {
  const places = runs.flatMap(({ lane, move }) =>
    move === undefined ? [] : [{ partition: lane.partition, carrier: move.carrier, ...move.next }],
  )
  if (places.length === 0) return
  await tx.query({
    name: 'carrier.move',
    text: `insert into headrace.carrier_position (group_name, topic, partition, carrier, incarnation, next_number)
           select $1, $2, * from json_to_recordset($3) as m(partition int, carrier text, incarnation text, number bigint)
           on conflict (group_name, topic, partition, carrier)
             do update set incarnation = excluded.incarnation, next_number = excluded.next_number`,
    values: [runs[0]?.lane.group, runs[0]?.lane.topic, JSON.stringify(places)],
  })
}

function toLane({ trialId, ...row }: LaneRow, place: LanePlace): Lane {
  return { ...place, ...row, trialId: trialId ?? undefined, ownTrialId: undefined, trials: 0, cautious: 1 }
}
