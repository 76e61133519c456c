import type { Queryable } from '@headrace/database'

/**
 * Providers that are not in use any more and hold messages that some group has not taken, by topic: they are still
 * read. What every group has passed is drained.
 */
export async function undrainedProviders(
  database: Queryable,
  inUse: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await database.query<{ topic: string; provider: string }>({
    text: `select distinct c.topic, c.provider from headrace.relay_cursor c
           join headrace.log_cursor g on g.topic = c.topic and g.partition = c.partition
             and g.group_name not like 'relay:%' and g.position < c.position
           where c.provider <> all($1::text[])
           order by c.topic, c.provider`,
    values: [inUse],
  })
  return new Map(
    [...Map.groupBy(rows, ({ topic }) => topic)].map(([topic, found]) => [
      topic,
      found.map(({ provider }) => provider),
    ]),
  )
}
