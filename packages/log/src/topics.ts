import type { Database } from '@headrace/database'
import { PlatformError } from '@headrace/runtime'
import { logPartitions } from '@headrace/transport'

/** Makes a topic's heads; a topic that exists with another number of partitions is refused. */
export async function declareTopic(database: Database, topic: string): Promise<void> {
  requireTopicName(topic)
  await database.inTransaction(async (tx) => {
    await tx.query({
      text: 'insert into headrace.log_topic (topic, partitions) values ($1, $2) on conflict do nothing',
      values: [topic, logPartitions],
    })
    const { rows } = await tx.query<{ partitions: number }>({
      text: 'select partitions from headrace.log_topic where topic = $1',
      values: [topic],
    })
    const partitions = rows[0]?.partitions
    if (partitions !== logPartitions) {
      const message = `topic '${topic}' has ${partitions} partitions, not ${logPartitions}`
      throw new PlatformError('TOPIC_PARTITIONS_CHANGED', message, { details: { topic, partitions } })
    }
    await tx.query({
      text: `insert into headrace.log_head (topic, partition)
             select $1, p from generate_series(0, $2::int - 1) as p on conflict do nothing`,
      values: [topic, logPartitions],
    })
  })
}

/** The names that every carrier takes: words of letters, digits, `_` and `-` joined by `.`; at most 200 characters. */
function requireTopicName(topic: string): void {
  if (topic.length <= 200 && /^[\w-]+(\.[\w-]+)*$/.test(topic)) return
  throw new RangeError(`topic: '${topic}' must be at most 200 letters, digits, '_', '-', and '.' between them`)
}
