import { openDatabase } from '@headrace/database'
import { sleep, startLoop } from '@headrace/runtime'
import { testStation } from '@headrace/station/testing'

interface LogRow {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly key: string
  readonly message_id: string
  readonly type: string
  readonly body: Buffer
}

/** Appends every message of these topics once more, a while after it came, as a careless producer would. */
export async function startCopies(databaseUrl: string, topics: readonly string[]): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const station = stack.use(await testStation({ url: databaseUrl }))
  const database = stack.use(openDatabase({ url: databaseUrl, maxConnections: 1, onError: () => {} }))
  const seen = new Map<string, number>()
  const run = async (signal: AbortSignal) => {
    await sleep(150, signal)
    const { rows } = await database.query<LogRow>({
      text: `select topic, partition, "offset", key, message_id, type, body from headrace.log
             where topic = any($1) and headers not like '%"copy"%' order by "offset"`,
      values: [topics],
    })
    const fresh = rows.filter(({ topic, partition, offset }) => offset > (seen.get(`${topic}/${partition}`) ?? 0))
    if (fresh.length === 0) return
    await station.log.inTransaction((tx) => {
      for (const { topic, key, message_id: id, type, body } of fresh) {
        tx.append({ topic, key, id, type, headers: { copy: '1' }, body })
      }
    })
    for (const { topic, partition, offset } of fresh) seen.set(`${topic}/${partition}`, offset)
  }
  stack.use(startLoop({ name: 'copies', run, onError: () => {} }))
  return stack.move()
}
