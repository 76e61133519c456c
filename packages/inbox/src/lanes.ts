import type { Database, Queryable } from '@headrace/database'
import { type Log, retentionLock } from '@headrace/log'
import type { CarriedMessage, CarrierPosition } from '@headrace/transport'

/** What identifies a lane, together with its origin. */
export interface LanePlace {
  readonly group: string
  readonly topic: string
  readonly partition: number
}

/** A lane as its reader knows it. */
export interface Lane extends LanePlace {
  readonly origin: string
  /** True for a lane over a log, whose offsets are gapless; false for one over a foreign producer's messages. */
  readonly gapless: boolean
  readonly epoch: number
  /** The last offset of the contiguous prefix that was handled or parked. */
  position: number
  seenUntilMs: number
  /** The message that this process is running alone, and how often a process died with it before. */
  ownTrialId: string | undefined
  trials: number
}

/** The lane that a message belongs to, and its offset there. */
export interface LaneAddress {
  readonly origin: string
  readonly offset: number
  readonly gapless: boolean
}

/** A logged message belongs to its log; a foreign one to the carrier's incarnation that brought it. */
export function laneAddress(message: CarriedMessage, carrier: string, incarnation: string): LaneAddress {
  if (message.origin !== undefined) {
    return { origin: message.origin.log, offset: message.origin.offset, gapless: true }
  }
  return { origin: `${carrier}/${incarnation}`, offset: message.position, gapless: false }
}

interface LaneRow {
  readonly origin: string
  readonly position: number
  readonly seen_until_ms: number | null
  readonly epoch: number
}

const laneColumns = `origin, position, epoch,
  case when seen_until = '-infinity' then null else extract(epoch from seen_until)::float8 * 1000 end as seen_until_ms`

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

/** Records a new lane and returns it; returns the one there is when it was recorded before. */
export async function openLane(
  database: Database,
  place: LanePlace,
  start: { readonly origin: string; readonly epoch: number; readonly position: number },
): Promise<Lane> {
  const { rows } = await database.query<LaneRow>({
    name: 'lane.open',
    text: `insert into headrace.lane as l (group_name, topic, partition, origin, position, epoch)
           values ($1, $2, $3, $4, $5, $6)
           on conflict (group_name, topic, partition, origin) do update set epoch = greatest(l.epoch, excluded.epoch)
           returning ${laneColumns}`,
    values: [place.group, place.topic, place.partition, start.origin, start.position, start.epoch],
  })
  const row = rows[0]
  if (row === undefined) throw new Error('insert returned no lane')
  return toLane(row, place)
}

/**
 * Records a group's lanes over the log of this database, once, before anything is read: from then on retention keeps
 * what they have not passed. Under retention's own lock, so that neither misses the other. A lane over a new incarnation
 * of the log goes on where the one over the old stood, but not beyond the head that the copy was found with.
 */
export async function declareLogLanes(
  database: Database,
  log: Log,
  subscription: { readonly group: string; readonly topic: string; readonly startAt: 'beginning' | 'end' },
): Promise<void> {
  await database.inTransaction(async (tx) => {
    await tx.query({ text: `select pg_advisory_xact_lock(${retentionLock})` })
    await tx.query({
      text: `insert into headrace.lane (group_name, topic, partition, origin, position)
             select $1, $2, h.partition, $3::text, coalesce(
               (select least(old.position, (i.predecessor_heads ->> (h.topic || '/' || h.partition))::bigint - 1)
                from headrace.log_incarnation i
                join headrace.lane old on old.origin = i.predecessor::text and old.group_name = $1
                  and old.topic = h.topic and old.partition = h.partition
                where i.id::text = $3),
               case when $4 then h.next_offset
                    else coalesce((select min("offset") from headrace.log l
                                   where l.topic = h.topic and l.partition = h.partition), h.next_offset) end - 1)
             from headrace.log_head h where h.topic = $2
             on conflict do nothing`,
      values: [subscription.group, subscription.topic, log.id, subscription.startAt === 'end'],
    })
  })
}

/**
 * The first statement of every batch transaction: moves the lane, provided that nobody else did and that the lease is
 * ours. No row: fenced. It ends a trial, too.
 */
export async function moveLane(tx: Queryable, lane: Lane, last: CarriedMessage, offset: number): Promise<boolean> {
  const { rowCount } = await tx.query({
    name: 'lane.move',
    text: `update headrace.lane set position = $7, last_id = $8, seen_until = to_timestamp($9::float8 / 1000),
             trial_id = null, trials = 0
           where group_name = $1 and topic = $2 and partition = $3 and origin = $4 and epoch = $5 and position = $6`,
    values: [
      lane.group,
      lane.topic,
      lane.partition,
      lane.origin,
      lane.epoch,
      lane.position,
      offset,
      last.id,
      last.at,
    ],
  })
  return rowCount === 1
}

/** Commits that a message is about to run alone; returns how often it did so before and its process died. */
export async function recordTrial(database: Queryable, lane: Lane, messageId: string): Promise<number | undefined> {
  const { rows } = await database.query<{ trials: number }>({
    name: 'lane.trial',
    text: `update headrace.lane set trial_id = $6, trials = case when trial_id = $6 then trials + 1 else 1 end
           where group_name = $1 and topic = $2 and partition = $3 and origin = $4 and epoch = $5
           returning trials`,
    values: [lane.group, lane.topic, lane.partition, lane.origin, lane.epoch, messageId],
  })
  return rows[0] && rows[0].trials - 1
}

/** Takes a recorded trial back, when reading stops and the process did not die. */
export async function endTrial(database: Queryable, lane: Lane): Promise<void> {
  await database.query({
    name: 'lane.end-trial',
    text: `update headrace.lane set trials = greatest(trials - 1, 0)
           where group_name = $1 and topic = $2 and partition = $3 and origin = $4 and epoch = $5 and trial_id = $6`,
    values: [lane.group, lane.topic, lane.partition, lane.origin, lane.epoch, lane.ownTrialId ?? null],
  })
}

/** Where a group resumes in a carrier that is not the log. */
export async function carrierPosition(
  database: Queryable,
  place: LanePlace,
  carrier: string,
): Promise<CarrierPosition | undefined> {
  const { rows } = await database.query<{ incarnation: string; next_number: number }>({
    name: 'carrier.position',
    text: `select incarnation, next_number from headrace.carrier_position
           where group_name = $1 and topic = $2 and partition = $3 and carrier = $4`,
    values: [place.group, place.topic, place.partition, carrier],
  })
  const row = rows[0]
  return row && { incarnation: row.incarnation, number: row.next_number }
}

/** Keeps where to resume in a carrier, moved together with the lane. */
export async function moveCarrier(
  tx: Queryable,
  place: LanePlace,
  carrier: string,
  next: CarrierPosition,
): Promise<void> {
  await tx.query({
    name: 'carrier.move',
    text: `insert into headrace.carrier_position (group_name, topic, partition, carrier, incarnation, next_number)
           values ($1, $2, $3, $4, $5, $6)
           on conflict (group_name, topic, partition, carrier)
             do update set incarnation = excluded.incarnation, next_number = excluded.next_number`,
    values: [place.group, place.topic, place.partition, carrier, next.incarnation, next.number],
  })
}

function toLane(row: LaneRow, place: LanePlace): Lane {
  return {
    group: place.group,
    topic: place.topic,
    partition: place.partition,
    origin: row.origin,
    gapless: !row.origin.includes('/'),
    epoch: row.epoch,
    position: row.position,
    seenUntilMs: row.seen_until_ms ?? 0,
    ownTrialId: undefined,
    trials: 0,
  }
}
