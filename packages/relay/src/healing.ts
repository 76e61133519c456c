import type { Queryable } from '@headrace/database'
import { type OnBackgroundError, PlatformError, type Running, sleep, startLoop, untilAborted } from '@headrace/runtime'
import type { Relay } from './relay.ts'

export interface HealingNeeds {
  readonly database: Queryable
  readonly onError: OnBackgroundError
}

/** Longest such time for a lane where going back has not helped. */
const maxPauseMs = 600_000

/** A lane whose group has not read the carrier to its end may stand still for other reasons: so many times longer. */
const doubtMore = 6

interface Stalled {
  readonly position: number
  pauseMs: number
  nextMs: number
}

/**
 * Notices a carrier that has lost what it confirmed, although it is the same one: a lane in front of messages that the
 * carrier should have stands still while nothing else does. The relay then goes back to the lane; copies are dropped
 * by the inbox, so that doing it in vain costs only time, and is done ever more rarely.
 */
export function startHealing(needs: HealingNeeds, relays: () => readonly Relay[], stalledMs: number): Running {
  const stalled = new Map<string, Stalled>()
  return startLoop({
    name: 'relay healing',
    async run(signal) {
      await sleep(stalledMs / 2, signal)
      if (signal.aborted) return
      for (const relay of relays()) await heal(relay, signal)
    },
    onError: needs.onError,
  })

  async function heal(relay: Relay, signal: AbortSignal): Promise<void> {
    const { transport, topic } = relay.provider
    const of = { provider: transport.name, topic, partitions: relay.partitions }
    const waiting = await waitingLanes(needs.database, of)
    for (const lane of waiting) {
      const isCertain = await untilAborted(lacks(relay, lane), signal)
      if (signal.aborted) return
      if (!isOverdue(`${transport.name} ${topic} ${lane.partition}`, lane.position, isCertain === true)) continue
      const text = `${transport.name} confirmed more of ${topic}/${lane.partition} than it holds: sent again from ${lane.position}`
      needs.onError(new PlatformError('LANE_GAP', text, { details: { ...of, partition: lane.partition } }), 'relay')
      relay.backToGroups(lane.partition)
    }
    const partitions = new Set(waiting.map(({ partition }) => partition))
    for (const partition of relay.partitions) {
      if (!partitions.has(partition)) stalled.delete(`${transport.name} ${topic} ${partition}`)
    }
  }

  /** Each time that going back has not helped, the next one comes later. */
  function isOverdue(key: string, position: number, isCertain: boolean): boolean {
    const nowMs = performance.now()
    const known = stalled.get(key)
    if (known === undefined || known.position !== position) {
      const pauseMs = isCertain ? stalledMs : doubtMore * stalledMs
      stalled.set(key, { position, pauseMs, nextMs: nowMs + pauseMs })
      return false
    }
    if (nowMs < known.nextMs) return false
    known.pauseMs = Math.min(maxPauseMs, known.pauseMs * 2)
    known.nextMs = nowMs + known.pauseMs
    return true
  }
}

/**
 * Tells whether the carrier cannot have what a group needs: the relay began behind it, or the group has read the carrier
 * to its end. False when the broker does not say.
 */
async function lacks({ provider: { transport, topic } }: Relay, lane: WaitingLane): Promise<boolean> {
  if (lane.position < lane.base) return true
  try {
    const carried = lane.partition % (await transport.partitions(topic))
    const { incarnation, first, end } = await transport.held(topic, carried)
    return first === end || (lane.incarnation === incarnation && (lane.next ?? 0) >= end)
  } catch {
    return false
  }
}

interface WaitingLane {
  readonly partition: number
  readonly position: number
  readonly base: number
  /** Where the group reads on in the carrier. */
  readonly incarnation: string | null
  readonly next: number | null
}

/** Partitions where a group that is being served has less than the provider confirmed, and the least position there. */
async function waitingLanes(
  database: Queryable,
  of: { readonly provider: string; readonly topic: string; readonly partitions: readonly number[] },
): Promise<readonly WaitingLane[]> {
  const { rows } = await database.query<WaitingLane>({
    name: 'relay.waiting',
    text: `select distinct on (c.partition) c.partition, g.position, c.base, r.incarnation, r.next_number as next
           from headrace.relay_cursor c
           join headrace.log_cursor g on g.topic = c.topic and g.partition = c.partition and g.position < c.position
           join headrace.lease l on l.group_name = g.group_name and l.topic = g.topic and l.partition = g.partition
           left join headrace.carrier_position r on r.group_name = g.group_name and r.topic = g.topic
             and r.partition = g.partition and r.carrier = c.provider
           where c.provider = $1 and c.topic = $2 and c.partition = any($3::int[]) and l.owner is not null
             and g.group_name not like 'relay:%'
           order by c.partition, g.position`,
    values: [of.provider, of.topic, of.partitions],
  })
  return rows
}
