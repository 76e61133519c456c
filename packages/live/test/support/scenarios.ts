import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { untilTrue } from '@headrace/database/testing'
import { sleep } from '@headrace/runtime'
import { removeOldEvents } from '../../src/retention.ts'
import { StreamClient } from './client.ts'
import { fatefulPubSub } from './pubsub.ts'
import { type Replica, type ReplicaOptions, type StartLive, startReplica } from './replica.ts'

/** Where a scenario takes place. */
export interface World {
  /** Address of a migrated database. */
  readonly url: string
  readonly start: StartLive
  /** Longest wait in ms. */
  readonly deadlineMs: number
}

/** Rejects when a promise is broken. */
export type Scenario = (world: World) => Promise<void>

/** So long that nothing comes of the poll in a test. */
const never = 600_000

const everything = (n: number) => Array.from({ length: n }, (_, index) => index + 1)

function replicaOf(world: World, options: Omit<ReplicaOptions, 'url' | 'start'> = {}): Promise<Replica> {
  return startReplica({ url: world.url, start: world.start, pollMs: 100, ...options })
}

function connect(replica: Replica, subject: string, options = {}): Promise<StreamClient> {
  return new StreamClient(`${replica.url}/stream/${subject}`, options).connected()
}

/** A client that is cut after each event, comes again at the other replica, and is cut at random times besides. */
export const cutAtEveryEvent: Scenario = async (world) => {
  const count = 60
  const subject = randomUUID()
  const fates = ['arrives', 'lost', 'late', 'arrives', 'arrives'] as const
  const pubsub = fatefulPubSub((message) => fates[message % fates.length] ?? 'arrives')
  await using one = await replicaOf(world, { pubsub })
  await using other = await replicaOf(world, { pubsub })
  const replicas = [one, other]
  const ids: number[] = []
  let lastEventId: string | undefined = '0'
  let isPublished = false
  const publishing = publishAll(replicas, subject, count).then(() => (isPublished = true))
  const end = performance.now() + world.deadlineMs
  for (let turn = 0; ids.length < count || !isPublished; turn += 1) {
    assert.ok(performance.now() < end, `has ${ids.length} of ${count} events in time`)
    const replica = replicas[turn % 2] ?? one
    using client: StreamClient = new StreamClient(`${replica.url}/stream/${subject}`, {
      lastEventId: lastEventId ?? '0',
      onEvent: ({ event }: { event: string }, self: StreamClient) => {
        if (event !== 'connected') self.cut()
      },
    })
    // Every third time before anything arrives, or amid it.
    if (turn % 3 === 2) await Promise.race([ended(client), sleep(turn % 7)])
    else await Promise.race([ended(client), sleep(300)])
    client.cut()
    ids.push(...client.ids)
    lastEventId = client.lastEventId ?? lastEventId
  }
  await publishing
  assert.deepEqual(ids, everything(count))
}

async function ended(client: StreamClient): Promise<void> {
  while (!client.isOver) await sleep(1)
}

/** From both replicas at once, in transactions of one to four events. */
async function publishAll(replicas: readonly Replica[], subject: string, count: number): Promise<void> {
  let published = 0
  const publisher = async (replica: Replica) => {
    for (let round = 0; published < count; round += 1) {
      const size = Math.min(1 + (round % 4), count - published)
      published += size
      await replica.publish(subject, ...everything(size))
      await sleep(round % 5)
    }
  }
  await Promise.all(replicas.map(publisher))
}

/** Clients that stay get each event once, whatever becomes of the hints. */
export const unreliableHints: Scenario = async (world) => {
  const count = 80
  const subject = randomUUID()
  const fates = ['late', 'arrives', 'lost', 'late', 'arrives', 'arrives', 'lost', 'lost'] as const
  const pubsub = fatefulPubSub((message) => fates[message % fates.length] ?? 'arrives', 100)
  await using one = await replicaOf(world, { pubsub })
  await using other = await replicaOf(world, { pubsub })
  using first = await connect(one, subject)
  using second = await connect(other, subject)
  await publishAll([one, other], subject, count)
  for (const client of [first, second]) {
    await client.reaches(count, world.deadlineMs)
    assert.deepEqual(client.ids, everything(count))
  }
}

/** Every hint is lost: what was published is seen with the next look at the heads. */
export const noHints: Scenario = async (world) => {
  const subject = randomUUID()
  await using replica = await replicaOf(world, { pubsub: fatefulPubSub(() => 'lost') })
  using client = await connect(replica, subject)
  await replica.publish(subject, 1, 2, 3)
  await client.reaches(3, world.deadlineMs)
  assert.deepEqual(client.ids, [1, 2, 3])
}

/** A hint that follows a lost one shows the hole, which is filled at once. */
export const holeInHints: Scenario = async (world) => {
  const subject = randomUUID()
  const pubsub = fatefulPubSub((message) => (message === 1 ? 'lost' : 'arrives'))
  await using replica = await replicaOf(world, { pubsub, pollMs: never })
  using client = await connect(replica, subject)
  for (const n of [1, 2, 3]) await replica.publish(subject, n)
  await client.reaches(3, world.deadlineMs)
  assert.deepEqual(client.ids, [1, 2, 3])
}

/** What happens between the reading of the head and the stream's beginning is sent at once. */
export const publishedWhileConnecting: Scenario = async (world) => {
  const subject = randomUUID()
  let isFirst = true
  const pubsub = fatefulPubSub(() => 'arrives')
  await using elsewhere = await replicaOf(world, { pubsub })
  await using replica = await replicaOf(world, {
    pubsub,
    pollMs: never,
    through: (database) => ({
      async query(statement) {
        const rows = await database.query<never>(statement)
        if (statement.name === 'live.heads' && isFirst) {
          isFirst = false
          await elsewhere.publish(subject, 1)
        }
        return rows
      },
    }),
  })
  using client = await connect(replica, subject)
  assert.equal(client.events[0]?.id, '0')
  await client.reaches(1, world.deadlineMs)
}

/** A client that resumes while events go on gets both parts without a seam, also many pages of them. */
export const resumesWhileEventsGoOn: Scenario = async (world) => {
  const subject = randomUUID()
  await using replica = await replicaOf(world, { pollMs: never })
  await replica.publish(subject, ...everything(500))
  using early = await connect(replica, subject, { lastEventId: 0 })
  const clients = [early]
  try {
    for (let n = 501; n <= 560; n += 1) {
      await replica.publish(subject, n)
      if (n % 10 === 0) clients.push(new StreamClient(`${replica.url}/stream/${subject}`, { lastEventId: n - 505 }))
    }
    for (const [index, client] of clients.entries()) {
      await client.reaches(560, world.deadlineMs)
      const from = index === 0 ? 0 : 510 + 10 * (index - 1) - 505
      assert.deepEqual(
        client.ids,
        everything(560).filter((id) => id > from),
      )
    }
  } finally {
    for (const client of clients) client.cut()
  }
}

/** A client that does not read is cut off and resumes where it was; meanwhile another gets everything. */
export const slowReader: Scenario = async (world) => {
  const count = 300
  const subject = randomUUID()
  await using replica = await replicaOf(world, { pollMs: never, bufferLimitBytes: 100_000 })
  const slow = await connect(replica, subject)
  using quick = await connect(replica, subject)
  slow.pause()
  const filling = 'x'.repeat(60_000)
  for (const n of everything(count)) {
    await replica.database.inTransaction((tx) =>
      replica.live.publish(tx, { subject, event: 'update', data: { n, filling } }),
    )
  }
  await quick.reaches(count, world.deadlineMs)
  await untilTrue('the slow reader is cut off', () => replica.live.connections === 1, world.deadlineMs)
  const metrics = await replica.metrics.metricsText()
  assert.match(metrics, /^headrace_live_slow_readers_total 1$/m)
  assert.match(metrics, /^headrace_live_connections 1$/m)
  slow.resume()
  await slow.over()
  assert.ok(slow.ids.length < count, 'the slow reader was cut off before the end')
  using resumed = await connect(replica, subject, { lastEventId: slow.lastEventId })
  await resumed.reaches(count, world.deadlineMs)
  assert.deepEqual([...slow.ids, ...resumed.ids], everything(count))
}

/** A position that is no longer kept gets the present state, and all that follows; one that is kept gets no reset. */
export const olderThanRetention: Scenario = async (world) => {
  const subject = randomUUID()
  let inBetween = true
  const state = { upTo: 5 }
  await using replica: Replica = await replicaOf(world, {
    pollMs: never,
    async snapshot() {
      const read = { ...state }
      // Happens after the state was read: it is in none but the event.
      if (inBetween) await replica.publish(subject, 6)
      inBetween = false
      return read
    },
  })
  await replica.publish(subject, ...everything(5))
  await replica.database.query({
    text: `update headrace.live_event set at = at - interval '25 hours' where subject = $1 and seq <= 3`,
    values: [subject],
  })
  await removeOldEvents(replica.database, 24 * 3_600_000)
  using kept = await connect(replica, subject, { lastEventId: 3 })
  await kept.reaches(5, world.deadlineMs)
  using old = await connect(replica, subject, { lastEventId: 1 })
  await old.reaches(6, world.deadlineMs)
  assert.deepEqual(
    old.events.map(({ id, event, data }) => `${id} ${event} ${data}`),
    ['1 connected {"position":1}', '5 reset {"upTo":5}', '6 update {"n":6}'],
  )
  await kept.reaches(6, world.deadlineMs)
  assert.deepEqual(kept.ids, [4, 5, 6])
}
