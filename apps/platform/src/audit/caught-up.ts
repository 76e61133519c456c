import type { Queryable } from '@headrace/database'

/** A topic on its way from the log of one database to lanes in another, or in the same. */
export interface Hop {
  readonly producer: Queryable
  readonly consumer: Queryable
  readonly topic: string
}

/** Tells whether everything that had been appended when this was asked has been handled, with nothing waiting. */
export async function hasCaughtUp({ producer, consumer, topic }: Hop): Promise<boolean> {
  const { rows: heads } = await producer.query<{ log: string; partition: number; head: number }>({
    text: `select (select id::text from headrace.log_incarnation order by started_at desc limit 1) as log,
             partition, next_offset - 1 as head
           from headrace.log_head where topic = $1 and next_offset > 1`,
    values: [topic],
  })
  const { rows: lanes } = await consumer.query<{ origin: string; partition: number; position: number }>({
    text: 'select origin, partition, min(position) as position from headrace.lane where topic = $1 group by 1, 2',
    values: [topic],
  })
  const { rows: waiting } = await consumer.query<{ count: number }>({
    text: `select count(*) as count from headrace.parked_message where topic = $1 and state = 'queued'`,
    values: [topic],
  })
  const reached = new Map(lanes.map(({ origin, partition, position }) => [`${origin}/${partition}`, position]))
  return (
    waiting[0]?.count === 0 &&
    heads.every(({ log, partition, head }) => (reached.get(`${log}/${partition}`) ?? 0) >= head)
  )
}
