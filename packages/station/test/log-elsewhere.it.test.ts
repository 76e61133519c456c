import assert from 'node:assert/strict'
import { it } from 'node:test'
import { openDatabase, startWakeUps } from '@headrace/database'
import { testDatabase, untilTrue } from '@headrace/database/testing'
import { startMembership } from '@headrace/inbox'
import { currentIncarnation, type NewMessage } from '@headrace/log'
import { postgresElsewhere } from '@headrace/transport'
import { type Station, startLogElsewhere, station } from '../src/index.ts'
import { type TestStation, testStation } from '../src/testing/index.ts'

type Tx = { query(statement: { text: string; values: unknown[] }): Promise<unknown> }
type Ids = readonly { readonly id: string }[]

const onError = () => {}
const message = (id: string): NewMessage => ({
  topic: 'things',
  id,
  key: id,
  type: 'thing',
  headers: {},
  body: Buffer.from(id),
})

/** The consumer's database, reading the log of the producer's. */
async function consumerOf(producer: Pick<Station, 'database' | 'wakeUps'>, own: TestStation) {
  await using stack = new AsyncDisposableStack()
  const log = stack.use(startLogElsewhere({ database: producer.database, wakeUps: producer.wakeUps, onError }))
  const carrier = stack.use(postgresElsewhere(log))
  const { database, wakeUps } = own
  const membership = stack.use(startMembership({ database, wakeUps, onError }))
  const faults = { at: async () => {} }
  const made: Station = station({ ...own, membership, own: carrier, carriers: () => [carrier], faults, onError })
  const parts = stack.move()
  return { ...made, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

async function append(producer: Station, ids: readonly string[]): Promise<void> {
  await producer.log.inTransaction((tx) => {
    for (const id of ids) tx.append(message(id))
  })
}

const idsFrom = (prefix: string) => Array.from({ length: 40 }, (_, index) => `${prefix}${index}`)

it('a consumer in another database handles each message once, also what came while it was away', async () => {
  await using producer = await testStation()
  await using own = await testStation()
  await producer.produces('things')
  await own.database.query({ text: 'create table effect (id text primary key)' })
  const handle = async (tx: Tx, messages: Ids) => {
    await tx.query({ text: 'insert into effect select unnest($1::text[])', values: [messages.map(({ id }) => id)] })
  }
  const effects = async () => (await own.database.query<{ id: string }>({ text: 'select id from effect' })).rows
  await append(producer, idsFrom('a'))
  {
    await using consumer = await consumerOf(producer, own)
    await using _running = await consumer.consume({ group: 'g', topic: 'things', handle })
    await untilTrue('the first 40', async () => (await effects()).length === 40, 20_000)
  }
  await append(producer, idsFrom('b'))
  await using consumer = await consumerOf(producer, own)
  await using _running = await consumer.consume({ group: 'g', topic: 'things', handle })
  await append(producer, idsFrom('c'))
  // The primary key would fail a second time.
  await untilTrue('all 120', async () => (await effects()).length === 120, 20_000)
})

it('a consumer starts before the other database holds a log, and handles what is appended once it does', async () => {
  await using place = await testDatabase()
  await using own = await testStation()
  const connection = { url: place.url, maxConnections: 3 }
  await using database = openDatabase(connection)
  await using wakeUps = startWakeUps(connection)
  const handled: string[] = []
  const handle = (_tx: Tx, messages: Ids) => void handled.push(...messages.map(({ id }) => id))
  await using consumer = await consumerOf({ database, wakeUps }, own)
  await using _running = await consumer.consume({ group: 'g', topic: 'things', handle })
  await using producer = await testStation({ url: place.url })
  await producer.produces('things')
  await append(producer, idsFrom('a'))
  await untilTrue('all 40', () => handled.length === 40, 20_000)
})

it('the producer knows how far the consumer is, so that retention keeps what it has not handled', async () => {
  await using producer = await testStation()
  await using own = await testStation()
  await producer.produces('things')
  await append(producer, idsFrom('a'))
  const told = async () => {
    const { rows } = await producer.database.query<{ behind: number; readers: number }>({
      text: `select count(*)::int as readers, coalesce(sum(h.next_offset - 1 - r.position), 0)::int as behind
             from headrace.log_reader r join headrace.log_head h using (topic, partition) where r.group_name = 'g'`,
    })
    return rows[0]
  }
  const gate = Promise.withResolvers<void>()
  await using consumer = await consumerOf(producer, own)
  await using _running = await consumer.consume({ group: 'g', topic: 'things', handle: () => gate.promise })
  await untilTrue('all partitions are known', async () => (await told())?.readers === 16, 20_000)
  assert.equal((await told())?.behind, 40)
  gate.resolve()
  await untilTrue('the positions are told', async () => (await told())?.behind === 0, 20_000)
})

it('a consumer goes on where the other database was restored to, without what it has handled and with all that is new', async () => {
  await using producer = await testStation()
  await using own = await testStation()
  await producer.produces('things')
  await own.database.query({ text: 'create table effect (n bigserial, id text)' })
  const handle = async (tx: Tx, messages: Ids) => {
    const values = [messages.map(({ id }) => id)]
    await tx.query({ text: 'insert into effect (id) select unnest($1::text[])', values })
  }
  const effects = async () =>
    (await own.database.query<{ id: string }>({ text: 'select id from effect order by n' })).rows.map(({ id }) => id)
  const restore = async () => {
    await producer.database.query({ text: `update headrace.log_incarnation set cluster = 'another'` })
    return currentIncarnation(producer.database)
  }
  await append(producer, idsFrom('a'))
  {
    await using consumer = await consumerOf(producer, own)
    await using _running = await consumer.consume({ group: 'g', topic: 'things', handle })
    await untilTrue('the first 40', async () => (await effects()).length === 40, 20_000)
  }
  await restore()
  await restore()
  await using consumer = await consumerOf(producer, own)
  await using _running = await consumer.consume({ group: 'g', topic: 'things', handle })
  await append(producer, idsFrom('b'))
  await untilTrue('the next 40', async () => (await effects()).includes('b39'), 20_000)
  const origin = await restore()
  await append(producer, idsFrom('c'))
  const isFollowed = async () =>
    (await own.database.query({ text: 'select from headrace.lane where origin = $1', values: [origin] })).rows.length >
    0
  await untilTrue('the copy is noticed', isFollowed, 20_000)
  await untilTrue('40 more', async () => new Set(await effects()).size === 120, 20_000)
  // The next copy has only the first message of each partition.
  await producer.database.query({ text: 'delete from headrace.log where "offset" > 1' })
  await producer.database.query({ text: 'update headrace.log_head set next_offset = least(next_offset, 2)' })
  await restore()
  await append(producer, idsFrom('d'))
  await untilTrue('all 160', async () => new Set(await effects()).size === 160, 20_000)
  assert.deepEqual((await effects()).toSorted(), ['a', 'b', 'c', 'd'].flatMap(idsFrom).toSorted())
})
